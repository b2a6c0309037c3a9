"""Two revisions side by side: whether a model answers the same test clips better in one than in the other."""

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import pandas as pd

from audiomnist.core.errors import AudiomnistError
from audiomnist.evaluation import metrics
from audiomnist.evaluation.names import TITLES

WORKSPACE = "workspace"
_COLUMNS = ["file", "digit", "predicted"]
_HASH_DIGITS = 10


class RevisionError(AudiomnistError):
    """A revision's test predictions cannot be had, or are of other recordings than those beside them."""


@dataclass(frozen=True)
class Difference:
    """How the answers of two models to the same test clips differ.

    Attributes:
        clips: test clips that both have; `first_clips` and `second_clips`: that each has.
        first_accuracy: on the clips in common, in [0, 1], as `second_accuracy`; None where there are none.
        difference_points: the second accuracy less the first, in percentage points.
        only_first: clips in common that the first model alone gets right; `only_second`: the second alone.
        mcnemar_p: the exact two-sided p-value that both err equally often (`evaluation.mcnemar_p`).
    """

    clips: int
    first_clips: int
    second_clips: int
    only_first: int = 0
    only_second: int = 0
    first_accuracy: float | None = None
    second_accuracy: float | None = None
    difference_points: float | None = None
    mcnemar_p: float | None = None

    def note(self, first: str, second: str) -> str | None:
        """Return what is to be said of the test clips of two revisions; None where they are the same."""
        if not self.clips:
            return (
                f"cannot be compared: none of {first}'s {self.first_clips} test clips is among {second}'s "
                f"{self.second_clips} (another split, or other data)"
            )
        if self.clips == self.first_clips == self.second_clips:
            return None
        return (
            f"the test clips differ (another split, or other data): {self.clips} are in common, of {first}'s "
            f"{self.first_clips} and {second}'s {self.second_clips}; only these are compared"
        )


@dataclass(frozen=True)
class Comparison:
    """Two revisions, the difference of each model that both have, and what is to be said of it, model by model."""

    first: str
    second: str
    models: dict[str, Difference]
    notes: dict[str, str]

    def to_json(self) -> str:
        """Return all of it as JSON, floats rounded to six digits after the point."""
        return json.dumps(metrics.rounded(asdict(self)), indent=2, allow_nan=False)


def compare_revisions(first: str, second: str, folder: Path, models: Sequence[str] = tuple(TITLES)) -> Comparison:
    """Return how the test predictions of two revisions differ.

    Args:
        first: a branch, tag, commit or experiment, or `workspace` for the files as they are now.
        second: the same.
        folder: where `<model>.parquet` stands in the repository; it need not be there now.
        models: those to compare; one that a single revision has is noted, one that none has is passed over.

    Raises:
        RevisionError: the predictions of a revision cannot be had, or two are of different recordings.
    """
    before, after = (read_predictions(folder, revision, models) for revision in (first, second))
    differences = {model: compare_predictions(before[model], after[model]) for model in before if model in after}
    notes = {model: difference.note(first, second) for model, difference in differences.items()}
    notes |= dict.fromkeys(before.keys() - after.keys(), f"{second} has no predictions of it")
    notes |= dict.fromkeys(after.keys() - before.keys(), f"{first} has no predictions of it")
    told = {model: note for model in models if (note := notes.get(model))}
    return Comparison(first, second, differences, told)


def compare_predictions(first: pd.DataFrame, second: pd.DataFrame) -> Difference:
    """Return how two models' answers to the test clips that both have differ.

    Args:
        first: one row per clip: `file`, unique; `digit`, the truth; `predicted`.
        second: the same of the other model.

    Raises:
        RevisionError: a clip is one digit in `first` and another in `second`.
    """
    both = first.merge(second, on="file", suffixes=("_first", "_second"), validate="one_to_one")
    relabelled = both.loc[both["digit_first"] != both["digit_second"], "file"]
    if len(relabelled):
        raise RevisionError(
            f"{len(relabelled)} recordings are one digit in the first revision and another in the second, so that "
            f"they are not the same ones and cannot be compared: {relabelled.iloc[0]}"
        )
    if both.empty:
        return Difference(0, len(first), len(second))
    right = [both[f"predicted_{side}"] == both[f"digit_{side}"] for side in ("first", "second")]
    only_first, only_second = int((right[0] & ~right[1]).sum()), int((right[1] & ~right[0]).sum())
    return Difference(
        clips=len(both),
        first_clips=len(first),
        second_clips=len(second),
        only_first=only_first,
        only_second=only_second,
        first_accuracy=float(right[0].mean()),
        second_accuracy=float(right[1].mean()),
        difference_points=100 * (only_second - only_first) / len(both),
        mcnemar_p=metrics.mcnemar_p(right[0].tolist(), right[1].tolist()),
    )


def read_predictions(folder: Path, revision: str, models: Sequence[str]) -> dict[str, pd.DataFrame]:
    """Return `file`, `digit` and `predicted` of the test clips, for each of the models that a revision has.

    Nothing is checked out or fetched into the cache: what is not there is read from the remote that the revision names.

    Args:
        folder: where `<model>.parquet` stands in the repository; it need not be there now.
        revision: a branch, tag, commit or experiment, or `workspace` for the files as they are now.
        models: those to look for.

    Raises:
        RevisionError: `folder` is in no DVC repository, which has no such revision, which has predictions of none of
            the models; or they are neither in DVC's cache nor in the remote, or are no such table.
    """
    place = Path(os.path.normpath(folder.absolute()))
    root = next((parent for parent in place.parents if (parent / ".dvc").is_dir()), None)
    if root is None:
        raise RevisionError(f"{folder} is in no DVC repository: run this in the checkout of one")
    names = {model: (place / f"{model}.parquet").relative_to(root) for model in models}
    with _opened(root, revision) as (files, top):
        found = {model: _content(files, top, name, revision) for model, name in names.items()}
    tables = {
        model: _parsed(content, names[model], revision) for model, content in found.items() if content is not None
    }
    if not tables:
        raise RevisionError(
            f"{revision} has no {' and no '.join(map(str, names.values()))}: dvc repro writes them, and --predictions "
            "names another folder"
        )
    return tables


@contextmanager
def _opened(root: Path, revision: str) -> Iterator[tuple[Any, Path]]:
    """Yield the files of a revision, both those that git and those that DVC keeps, and where `root` is among them."""
    from dvc.api import DVCFileSystem  # noqa: PLC0415 - takes a second
    from dvc.exceptions import DvcException  # noqa: PLC0415
    from dvc.repo import Repo  # noqa: PLC0415
    from dvc.scm import RevError, resolve_rev  # noqa: PLC0415
    from dvc_data.index import DataIndexDirError  # noqa: PLC0415
    from scmrepo.exceptions import SCMError  # noqa: PLC0415

    try:
        with Repo(str(root)) as repo:
            commit = None if revision == WORKSPACE else resolve_rev(repo.scm, revision)
            git_root = Path(repo.scm.root_dir)
        with closing(DVCFileSystem(str(git_root), rev=commit, subrepos=True)) as files:
            yield files, Path("/", root.resolve().relative_to(git_root.resolve()))
    except RevError as error:
        raise RevisionError(f"{error} in {root}: name a branch, a tag, a commit or an experiment") from error
    except (DvcException, DataIndexDirError, SCMError, OSError) as error:
        raise RevisionError(f"{revision} of {root} cannot be read: {error}") from error


def _content(files: Any, top: Path, name: Path, revision: str) -> bytes | None:
    """Return the bytes of a file, None if the revision has no such file."""
    path = (top / name).as_posix()
    try:
        files.info(path)
    except FileNotFoundError:
        return None
    try:
        with files.open(path, "rb") as file:
            return bytes(file.read())
    except FileNotFoundError as error:
        there = "" if revision == WORKSPACE else f"git checkout {files.repo.get_rev()[:_HASH_DIGITS]}, then "
        raise RevisionError(
            f"{name} of {revision} is not in the DVC cache: {there}dvc pull {name} gets it if it was pushed, "
            "and dvc repro makes it"
        ) from error


def _parsed(content: bytes, name: Path, revision: str) -> pd.DataFrame:
    try:
        table = pd.read_parquet(BytesIO(content))
    except (ValueError, OSError) as error:
        raise RevisionError(f"{name} of {revision} is no Parquet file: {error}. dvc repro makes it anew") from error
    if not set(_COLUMNS) <= set(table):
        raise RevisionError(f"{name} of {revision} lacks one of {', '.join(_COLUMNS)}: dvc repro makes it anew")
    if table["file"].duplicated().any():
        raise RevisionError(f"{name} of {revision} has a clip twice: dvc repro makes it anew")
    return table[_COLUMNS]

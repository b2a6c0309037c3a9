"""Comparison of the test predictions of two git revisions, clip by clip, and the files of a revision."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd

from audiomnist.core.errors import AudiomnistError
from audiomnist.evaluation.metrics import mcnemar_p


class RevisionError(AudiomnistError):
    """The test predictions of a revision cannot be read, or two revisions label recordings differently."""


class MissingFileError(RevisionError):
    """DVC has the hash of a file and not its content."""

    def __init__(self, path: str, revision: str) -> None:
        super().__init__(
            f"{path} of {revision} is neither in DVC's cache nor in its remote: in a checkout of that revision, "
            "dvc pull gets it if it was pushed, and dvc repro writes it"
        )


@dataclass(frozen=True)
class Difference:
    """How the predictions of two models differ on the test clips in common; without any, there are no scores.

    Attributes:
        clips: test clips in common; `first_clips` and `second_clips`: of each revision.
        only_first: clips that the first model alone gets right; `only_second`: the second alone.
        first_accuracy: in [0, 1], as `second_accuracy`; `difference_points`: second less first, in percentage points.
        mcnemar_p: the exact two-sided p-value that both err equally often.
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
        """Return a sentence about the test clips of two revisions; None if they are the same."""
        if self.clips == self.first_clips == self.second_clips:
            return None
        return (
            f"{self.clips} test clips are in common, of {first}'s {self.first_clips} and {second}'s "
            f"{self.second_clips} (another split, or other data): "
            f"{'only these are' if self.clips else 'the models cannot be'} compared"
        )


@dataclass(frozen=True)
class Revision:
    """The files of a revision, which DVC reads from git, from its cache, or from its remote.

    Attributes:
        name: a branch, a tag, a commit or an experiment, or `workspace`.
        root: the folder of the git repository.
        project: the folder in it that has params.yaml, data and reports.
        files: DVC's file system.
    """

    name: str
    root: Path
    project: PurePosixPath
    files: Any

    def content(self, path: PurePosixPath | str) -> bytes | None:
        """Return a file of the project; None if the revision has no such file.

        A file that DVC lacks is read from the workspace if it has the same hash there.

        Raises:
            MissingFileError: the file is neither in DVC's cache nor in its remote.
            RevisionError: the revision cannot be read.
        """
        from dvc.exceptions import DvcException  # noqa: PLC0415 - takes a second
        from dvc_data.index import DataIndexDirError  # noqa: PLC0415

        in_root = str(self.project / path)
        try:
            content: bytes = self.files.read_bytes(in_root)
        except DataIndexDirError as error:
            raise MissingFileError(in_root, self.name) from error
        except FileNotFoundError as error:
            if not self.files.exists(in_root):
                return None
            if (same := self._same_in_workspace(in_root)) is None:
                raise MissingFileError(in_root, self.name) from error
            return same
        except (DvcException, OSError) as error:
            raise _unreadable(self.name, self.root, error) from error
        return content

    def _same_in_workspace(self, in_root: str) -> bytes | None:
        path = self.root / in_root
        if not path.is_file():
            return None
        content = path.read_bytes()
        is_same = hashlib.md5(content, usedforsecurity=False).hexdigest() == self.files.info(in_root).get("md5")
        return content if is_same else None


@dataclass(frozen=True)
class Comparison:
    """Two revisions, and how their models differ.

    Attributes:
        first: a revision, as `second`.
        predictions: of each model that a revision has, for the first and for the second.
        differences: of each model that both have.
        notes: on each model that is not compared in full.
    """

    first: Revision
    second: Revision
    predictions: tuple[Mapping[str, pd.DataFrame], Mapping[str, pd.DataFrame]]
    differences: Mapping[str, Difference]
    notes: Mapping[str, str]


def compare_revisions(first: str, second: str, folder: Path, models: Sequence[str]) -> Comparison:
    """Compare the test predictions of two revisions: branches, tags, commits or experiments, or `workspace`.

    `folder`, of `<model>.parquet`, is in a git repository; it need not exist in the workspace.

    Raises:
        RevisionError: there is no such repository or revision; its predictions do not exist, are neither in DVC's cache
            nor in its remote, or are no such tables; the labels of two revisions differ.
    """
    folder = folder.resolve()
    root = _parent_with(".git", folder)
    if root is None:
        raise RevisionError(f"{folder} is in no git repository: run this in a checkout")
    project = max(root, _parent_with(".dvc", folder) or root, key=lambda path: len(path.parts))
    one, other = (_opened(root, project, name) for name in (first, second))
    in_project = PurePosixPath(folder.relative_to(project).as_posix())
    before, after = (_predictions(revision, in_project, models) for revision in (one, other))
    differences = {model: compare(before[model], after[model]) for model in before if model in after}
    notes = {model: note for model, difference in differences.items() if (note := difference.note(first, second))}
    notes |= {model: f"{second} has no predictions of it" for model in before if model not in after}
    notes |= {model: f"{first} has no predictions of it" for model in after if model not in before}
    return Comparison(one, other, (before, after), differences, notes)


def in_common(first: pd.DataFrame, second: pd.DataFrame) -> pd.DataFrame:
    """Return the clips that two tables of predictions have in common, with the columns of both.

    The columns, but `file`, end with `_first` or `_second`; `only_first` is whether the first alone is right,
    `only_second` whether the second alone is.

    Raises:
        RevisionError: a clip has two labels.
    """
    both = first.merge(second, on="file", suffixes=("_first", "_second"))
    relabelled = both.loc[both["digit_first"] != both["digit_second"], "file"].tolist()
    if relabelled:
        raise RevisionError(
            f"{relabelled[0]} has another label in the second revision, as {len(relabelled)} recordings have: "
            "compare revisions of the same data"
        )
    right = [both[f"predicted_{side}"] == both["digit_first"] for side in ("first", "second")]
    return both.assign(only_first=right[0] & ~right[1], only_second=right[1] & ~right[0])


def compare(first: pd.DataFrame, second: pd.DataFrame) -> Difference:
    """Compare two tables of `file`, which is unique, `digit` and `predicted`."""
    both = in_common(first, second)
    if both.empty:
        return Difference(0, len(first), len(second))
    first_right, second_right = (both[f"predicted_{side}"] == both["digit_first"] for side in ("first", "second"))
    only_first, only_second = int(both["only_first"].sum()), int(both["only_second"].sum())
    return Difference(
        clips=len(both),
        first_clips=len(first),
        second_clips=len(second),
        only_first=only_first,
        only_second=only_second,
        first_accuracy=float(first_right.mean()),
        second_accuracy=float(second_right.mean()),
        difference_points=100 * (only_second - only_first) / len(both),
        mcnemar_p=mcnemar_p(first_right, second_right),
    )


def _parent_with(name: str, folder: Path) -> Path | None:
    return next((path for path in (folder, *folder.parents) if (path / name).exists()), None)


def _opened(root: Path, project: Path, name: str) -> Revision:
    from dvc.api import DVCFileSystem  # noqa: PLC0415 - takes a second
    from dvc.exceptions import DvcException  # noqa: PLC0415

    try:
        files = DVCFileSystem(root, rev=None if name == "workspace" else name, subrepos=True)
    except (DvcException, OSError) as error:
        raise _unreadable(name, root, error) from error
    return Revision(name, root, PurePosixPath(project.relative_to(root).as_posix()), files)


def _unreadable(revision: str, root: Path, error: Exception) -> RevisionError:
    return RevisionError(
        f"{revision} of {root} cannot be read: {error}; name a branch, a tag, a commit or an experiment"
    )


def _predictions(revision: Revision, folder: PurePosixPath, models: Sequence[str]) -> dict[str, pd.DataFrame]:
    """Return the predictions of each model that a revision has."""
    paths = {model: folder / f"{model}.parquet" for model in models}
    tables = {
        model: _table(content, path, revision.name)
        for model, path in paths.items()
        if (content := revision.content(path)) is not None
    }
    if not tables:
        raise RevisionError(
            f"{revision.name} has no {' and no '.join(map(str, paths.values()))}: dvc repro writes them, and "
            "--predictions names another folder"
        )
    return tables


def _table(content: bytes, path: PurePosixPath, revision: str) -> pd.DataFrame:
    try:
        table = pd.read_parquet(BytesIO(content))
        is_one_row_per_file = table["file"].is_unique and {"digit", "predicted"} <= {*table}
    except (ValueError, OSError, KeyError):
        is_one_row_per_file = False
    if not is_one_row_per_file:
        raise RevisionError(
            f"{path} of {revision} is no table of file, digit and predicted with one row per file: dvc repro writes it"
        )
    return table

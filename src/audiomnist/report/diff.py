"""Comparison of the test predictions of two git revisions, clip by clip."""

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import pandas as pd

from audiomnist.core.errors import AudiomnistError
from audiomnist.evaluation.metrics import mcnemar_p


class RevisionError(AudiomnistError):
    """The test predictions of a revision cannot be read, or two revisions label recordings differently."""


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


def compare_revisions(
    first: str, second: str, folder: Path, models: Sequence[str]
) -> tuple[dict[str, Difference], dict[str, str]]:
    """Compare the test predictions of two revisions: branches, tags, commits or experiments, or `workspace`.

    `folder`, of `<model>.parquet`, is in a git repository; it need not exist in the workspace.

    Returns:
        The difference of each model that both revisions have, and a note on each that is not compared in full.

    Raises:
        RevisionError: there is no such repository or revision; its predictions do not exist, are neither in DVC's cache
            nor in its remote, or are no such tables; the labels of two revisions differ.
    """
    before, after = _read_revision(folder, first, models), _read_revision(folder, second, models)
    differences = {model: compare(before[model], after[model]) for model in before if model in after}
    notes = {model: note for model, difference in differences.items() if (note := difference.note(first, second))}
    notes |= {model: f"{second} has no predictions of it" for model in before if model not in after}
    notes |= {model: f"{first} has no predictions of it" for model in after if model not in before}
    return differences, notes


def compare(first: pd.DataFrame, second: pd.DataFrame) -> Difference:
    """Compare two tables of `file`, which is unique, `digit` and `predicted`."""
    both = first.merge(second, on="file", suffixes=("_first", "_second"))
    relabelled = both.loc[both["digit_first"] != both["digit_second"], "file"].tolist()
    if relabelled:
        raise RevisionError(
            f"{relabelled[0]} has another label in the second revision, as {len(relabelled)} recordings have: "
            "compare revisions of the same data"
        )
    if both.empty:
        return Difference(0, len(first), len(second))
    first_right, second_right = (both[f"predicted_{side}"] == both["digit_first"] for side in ("first", "second"))
    only_first, only_second = int((first_right & ~second_right).sum()), int((second_right & ~first_right).sum())
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


def _read_revision(folder: Path, revision: str, models: Sequence[str]) -> dict[str, pd.DataFrame]:
    from dvc.api import DVCFileSystem  # noqa: PLC0415 - takes a second
    from dvc.exceptions import DvcException  # noqa: PLC0415

    folder = folder.resolve()
    root = next((path for path in (folder, *folder.parents) if (path / ".git").exists()), None)
    if root is None:
        raise RevisionError(f"{folder} is in no git repository: run this in a checkout")
    paths = {model: (folder / f"{model}.parquet").relative_to(root).as_posix() for model in models}
    try:
        files = DVCFileSystem(root, rev=None if revision == "workspace" else revision, subrepos=True)
        tables = {model: table for model in models if (table := _read(files, paths[model], revision)) is not None}
    except (DvcException, OSError) as error:
        raise RevisionError(
            f"{revision} of {root} cannot be read: {error}; name a branch, a tag, a commit or an experiment"
        ) from error
    if not tables:
        raise RevisionError(
            f"{revision} has no {' and no '.join(paths.values())}: dvc repro writes them, and --predictions names "
            "another folder"
        )
    return tables


def _read(files: Any, path: str, revision: str) -> pd.DataFrame | None:
    """Return predictions; None if the revision has no such file."""
    try:
        content = files.read_bytes(path)
    except FileNotFoundError as error:
        if not files.exists(path):
            return None
        raise RevisionError(
            f"{path} of {revision} is neither in DVC's cache nor in its remote: in a checkout of that revision, "
            "dvc pull gets it if it was pushed, and dvc repro writes it"
        ) from error
    try:
        table = pd.read_parquet(BytesIO(content), columns=["file", "digit", "predicted"])
    except (ValueError, OSError):
        table = None
    if table is None or not table["file"].is_unique:
        raise RevisionError(
            f"{path} of {revision} is no table of file, digit and predicted with one row per file: dvc repro writes it"
        )
    return table

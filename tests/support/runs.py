"""Runs of the scorer in this process, and what they leave behind."""

import io
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from audiomnist.cli import main
from audiomnist.core.digits import PROBABILITIES
from audiomnist.scoring import records, run
from audiomnist.scoring.inbox.inbox import Folder
from audiomnist.scoring.run import ScoringConfig
from audiomnist.scoring.summary import Summary
from audiomnist.scoring.table.table import Table
from audiomnist.scoring.workers.scorer import ScoredChunk, ScoringTask
from audiomnist.serving.bundle.reference import Histogram, Reference

Row = dict[str, Any]


@dataclass(frozen=True)
class FolderConfig(ScoringConfig):
    """Settings of a run whose inbox and table are folders of this machine."""

    inbox: Path
    table: Path


HALVES = Histogram(edges=(0.5,), shares=(0.5, 0.5))
REFERENCE = Reference(labels=(0.1,) * 10, confidence=HALVES, duration_s=HALVES)
RUN_COLUMNS = {
    "model": "cnn",
    "model_version": "f" * 64,
    "dataset": "tones",
    "dataset_version": "1",
    "code_revision": "c" * 40,
    "run_id": "this run",
}


def folder_of(task: ScoringTask) -> Path:
    """Return the folder of a task's inbox."""
    assert isinstance(task.inbox, Folder)
    return task.inbox.path


@dataclass(frozen=True)
class Ended:
    """What a run of the command left: its exit status, and what it printed."""

    status: int
    out: str
    err: str


def audiomnist(*arguments: object) -> Ended:
    """Run the command `audiomnist` in this process, as its script does."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr(sys, "argv", ["audiomnist", *map(str, arguments)])
        try:
            main.main()
        except SystemExit as end:
            return _ended(end.code, out.getvalue(), err.getvalue())
    return Ended(0, out.getvalue(), err.getvalue())


def _ended(code: object, out: str, err: str) -> Ended:
    """Return the result of an exit code, which may be a text."""
    return Ended(1, out, f"{err}{code}\n") if isinstance(code, str) else Ended(int(str(code or 0)), out, err)


def score(config: ScoringConfig) -> Summary:
    """Carry out a run."""
    return run.score(config)


def rows(table: Path, **only: str) -> list[Row]:
    """Return the rows that have certain values, ordered by path and time."""
    found = [row for batch in Table.open(table).scan() for row in batch.to_pylist()]
    chosen = [row for row in found if all(row[column] == value for column, value in only.items())]
    return sorted(chosen, key=lambda row: (row["path"], row["scored_at"]))


def rows_of(done: ScoredChunk) -> list[Row]:
    """Return the rows that a chunk gives, in the order of its files."""
    rows: list[Row] = records.table(done.results, RUN_COLUMNS, datetime(2026, 3, 1, 2, tzinfo=UTC)).to_pylist()
    return rows


def by_path(table: Path) -> dict[str, Row]:
    """Return the row of each path, which has one only."""
    found = rows(table)
    assert len(found) == len({row["path"] for row in found})
    return {row["path"]: row for row in found}


def answer(row: Row) -> NDArray[np.float64]:
    """Return the ten probabilities of a row; NaN where it has none."""
    return np.array([np.nan if row[name] is None else row[name] for name in PROBABILITIES])


def assert_same_answers(found: dict[str, Row], expected: dict[str, Row]) -> None:
    """Check that paths have the same status, label and reason, and the same probabilities but for rounding."""
    assert found.keys() == expected.keys()
    for path, row in found.items():
        for column in ("status", "digit", "reason", "message", "content_sha256", "duration_s", "peak"):
            assert row[column] == expected[path][column], (path, column)
        np.testing.assert_allclose(answer(row), answer(expected[path]), rtol=0, atol=1e-5, err_msg=path)


def tree(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """Return mode, modification time and content of everything below a folder."""
    return {
        str(path.relative_to(folder)): (
            path.lstat().st_mode,
            path.lstat().st_mtime_ns,
            path.read_bytes() if path.is_file() else b"",
        )
        for path in [folder, *folder.rglob("*")]
    }

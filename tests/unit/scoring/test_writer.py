"""Writing rows: each is counted once and committed once, in batches, the summary with the last."""

import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from runs import REFERENCE, RUN_COLUMNS, rows

from audiomnist.scoring import records
from audiomnist.scoring.inbox.discover import Deferred
from audiomnist.scoring.records import FileInfo, FileResult
from audiomnist.scoring.seen import SeenFiles
from audiomnist.scoring.summary import Counters, RunHeader, Summary
from audiomnist.scoring.table.location import TableWriteError
from audiomnist.scoring.table.table import Table
from audiomnist.scoring.workers.scorer import ScoredChunk
from audiomnist.scoring.writer import TableWriter, committed_in_error
from audiomnist.serving.predictor import Prediction

RUN_ID = RUN_COLUMNS["run_id"]
NOW = datetime(2026, 3, 1, 2, tzinfo=UTC)
RUN = RunHeader(
    run_id=RUN_ID,
    started_at=NOW,
    inbox="/inbox",
    model="cnn",
    model_version=RUN_COLUMNS["model_version"],
    dataset="tones",
)
LINK = FileResult(FileInfo("e", 0, 0), records.rejected("e", "link", "is a symbolic link"), 0.001)


def info(path: str, content: int = 0) -> FileInfo:
    """Return the properties of a file whose content is a number."""
    return FileInfo(path, 1000, 1_700_000_000_000_000_000, f"{content:032x}{content:032x}", 0.3, 8000, 1, 0.5)


def prediction(digit: int, confidence: float = 0.91) -> Prediction:
    """Return a prediction of a digit."""
    probabilities = np.full(10, (1 - confidence) / 9, dtype=np.float32)
    probabilities[digit] = confidence
    return Prediction(probabilities, 0.25, "cnn")


def scored(*contents: int) -> ScoredChunk:
    """Return a chunk of new, scored files."""
    return ScoredChunk([with_label(f"{content:03}.wav", content, content % 10) for content in contents], [])


def with_label(path: str, content: int, digit: int, min_confidence: float = 0.0) -> FileResult:
    """Return the result of a file with a prediction, after a millisecond."""
    return FileResult(info(path, content), records.predicted(prediction(digit), min_confidence), 0.001)


class WritingRun:
    """A table writer at the start of a run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.table = Table.create(folder)
        self.counters = Counters(REFERENCE)
        known = SeenFiles.read(self.table, RUN_COLUMNS["model_version"])
        self.writer = TableWriter(self.table, known, self.counters, RUN_COLUMNS, 4)

    @property
    def counts(self) -> dict[str, int]:
        """What was counted."""
        return {name: files for name, files in self.counters.counts.items() if files}

    def end(self) -> Summary:
        """End the run."""
        summary = self.counters.summary(RUN, NOW, 1.0, interrupted=False)
        self.writer.end(summary)
        return summary

    @property
    def commits(self) -> list[int]:
        """How many rows each commit has added, the first first; the one that made the table is not among them."""
        entries = sorted((self.folder / "_delta_log").glob("*.json"))[1:]
        return [sum(_added(line) for line in entry.read_text(encoding="utf-8").splitlines()) for entry in entries]


def _added(line: str) -> int:
    action = json.loads(line)
    return int(json.loads(action["add"]["stats"])["numRecords"]) if "add" in action else 0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder for a table."""
    return tmp_path / "table"


@pytest.fixture
def run(folder: Path) -> WritingRun:
    """A writer for an empty table, with four rows per commit."""
    return WritingRun(folder)


@pytest.mark.parametrize(
    ("chunks", "commits"),
    [
        ([], [0]),
        ([3], [3]),
        ([4], [4]),
        ([5], [4, 1]),
        ([3, 3, 3], [4, 4, 1]),
        ([8], [4, 4]),
        ([1] * 9, [4, 4, 1]),
    ],
)
def test_rows_are_committed_in_batches_and_the_rest_with_the_summary(
    run: WritingRun, chunks: list[int], commits: list[int]
) -> None:
    """However they come; even a run that found nothing leaves its summary."""
    numbers = iter(range(100))
    for chunk in chunks:
        run.writer.add(scored(*(next(numbers) for _ in range(chunk))))
    summary = run.end()
    assert run.commits == commits
    assert run.writer.committed == sum(chunks) == len(rows(run.folder))
    (committed,) = Table.open(run.folder).runs()
    assert committed.summary == json.loads(summary.to_json())
    assert committed.version == len(commits)


def test_rows_are_committed_as_soon_as_there_is_a_batch_and_one_more(run: WritingRun) -> None:
    """So a crash costs one batch of work, and the last commit is never without its rows."""
    run.writer.add(scored(*range(4)))
    assert run.commits == []
    run.writer.add(scored(4))
    assert run.commits == [4]
    (committed,) = Table.open(run.folder).runs()
    assert (committed.run_id, committed.summary) == (RUN_ID, None)


def test_every_outcome_is_counted_once(run: WritingRun) -> None:
    """Rows by their status, and deferred files by their reason."""
    made = [
        with_label("a.wav", 1, 7),
        with_label("b.wav", 2, 7, min_confidence=0.95),
        FileResult(FileInfo("c.wav", 0, 0, "0" * 64), records.rejected("c.wav", "empty", "holds no bytes"), 0.001),
        LINK,
    ]
    run.writer.add(ScoredChunk(made, [Deferred(b"d\xff.wav", "changing", "is not as it was found")]))
    summary = run.end()
    assert run.counts == {"scored": 1, "abstained": 1, "rejected": 2, "deferred": 1}
    assert summary.by_label["7"] == 1
    assert summary.by_reason == {"empty": 1, "link": 1}
    (deferred,) = summary.deferred_files
    assert (deferred.path, deferred.reason) == ("d\\xff.wav", "changing")
    assert [row["path"] for row in rows(run.folder)] == ["a.wav", "b.wav", "c.wav", "e"]


def test_a_row_that_the_table_has_is_unchanged_and_not_written_again(folder: Path) -> None:
    """As of a file that was touched, or read again; of the others in its chunk each has its row."""
    first = WritingRun(folder)
    first.writer.add(scored(1, 2).joined(ScoredChunk([LINK], [])))
    first.end()
    second = WritingRun(folder)
    second.writer.add(scored(1, 2, 3).joined(ScoredChunk([LINK], [])))
    second.end()
    assert second.counts == {"scored": 1, "unchanged": 3}
    assert [row["path"] for row in rows(folder)] == ["001.wav", "002.wav", "003.wav", "e"]


def test_a_table_that_cannot_be_written_says_what_was_committed_before(
    run: WritingRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An operator wants to know at once."""
    append = run.table.append
    versions = iter([True, True, False])

    def failing(made: pa.Table, metadata: dict[str, str]) -> int:
        if next(versions):
            return append(made, metadata)
        raise TableWriteError("the table cannot be written: No space left on device")

    monkeypatch.setattr(run.table, "append", failing)
    with pytest.raises(TableWriteError) as caught, committed_in_error(run.writer):
        run.writer.add(scored(*range(20)))
    message = "the table cannot be written: No space left on device (this run has committed 8 rows)"
    assert str(caught.value) == message
    assert len(rows(run.folder)) == 8

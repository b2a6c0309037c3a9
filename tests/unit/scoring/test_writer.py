"""Entering rows: each is counted once and committed once, in batches, the run's summary with the last."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from runs import REFERENCE, STAMP, rows

from audiomnist.scoring import records as making
from audiomnist.scoring.inbox.discover import Deferred
from audiomnist.scoring.records import Facts, Verdict
from audiomnist.scoring.seen import Known
from audiomnist.scoring.summary import Run, Summary, Tally
from audiomnist.scoring.table.location import TableWriteError
from audiomnist.scoring.table.table import Table
from audiomnist.scoring.workers.scorer import Labelled
from audiomnist.scoring.writer import Ledger
from audiomnist.serving.predictor import Answer

RUN_ID = STAMP.columns["run_id"]
NOW = datetime(2026, 3, 1, 2, tzinfo=UTC)
RUN = Run(
    run_id=RUN_ID, started_at=NOW, inbox="/inbox", model="cnn", model_version=STAMP.model_version, dataset="tones"
)
LINK = Facts("e", 0, 0), making.rejected("e", "link", "is a symbolic link")


def facts(path: str, content: int = 0) -> Facts:
    """Return what is known of a file whose content is a number."""
    return Facts(path, 1000, 1_700_000_000_000_000_000, f"{content:032x}{content:032x}", 0.3, 8000, 1, 0.5)


def heard(digit: int, confidence: float = 0.91) -> Answer:
    """Return what a model says that hears a digit."""
    probabilities = np.full(10, (1 - confidence) / 9, dtype=np.float32)
    probabilities[digit] = confidence
    return Answer(probabilities, 0.25)


def scored(*contents: int) -> Labelled:
    """Return new files, labelled, of certain contents."""
    made = [(facts(f"{content:03}.wav", content), making.answered(heard(content % 10), 0.0)) for content in contents]
    return of(made)


def of(made: Sequence[tuple[Facts, Verdict]], deferred: Sequence[Deferred] = ()) -> Labelled:
    """Return what came of files, each in a millisecond."""
    table = making.table(made, STAMP, NOW)
    return Labelled(table, [0.001] * len(made), [*deferred])


class Book:
    """A ledger at the beginning of a run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.table = Table.create(folder)
        self.tally = Tally(REFERENCE)
        known = Known.read(self.table, STAMP.model_version)
        self.ledger = Ledger(self.table, known, self.tally, RUN_ID, 4)

    @property
    def counts(self) -> dict[str, int]:
        """What was counted."""
        return {name: files for name, files in self.tally.counts.items() if files}

    def end(self) -> Summary:
        """End the run."""
        summary = self.tally.summary(RUN, NOW, 1.0, interrupted=False)
        self.ledger.end(summary)
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
def book(folder: Path) -> Book:
    """A ledger of a table without rows, with four rows to a commit."""
    return Book(folder)


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
    book: Book, chunks: list[int], commits: list[int]
) -> None:
    """However they come; even a run that found nothing leaves its summary."""
    numbers = iter(range(100))
    for chunk in chunks:
        book.ledger.enter(scored(*(next(numbers) for _ in range(chunk))))
    summary = book.end()
    assert book.commits == commits
    assert book.ledger.committed == sum(chunks) == len(rows(book.folder))
    (run,) = Table.open(book.folder).runs()
    assert run.summary == json.loads(summary.to_json())
    assert run.version == len(commits)


def test_rows_are_committed_as_soon_as_there_is_a_batch_and_one_more(book: Book) -> None:
    """So a crash costs one batch of work, and the last commit is never without its rows."""
    book.ledger.enter(scored(*range(4)))
    assert book.commits == []
    book.ledger.enter(scored(4))
    assert book.commits == [4]
    (run,) = Table.open(book.folder).runs()
    assert (run.run_id, run.summary) == (RUN_ID, None)


def test_every_outcome_is_counted_once(book: Book) -> None:
    """Rows by their status, and deferred files by their reason."""
    made = [
        (facts("a.wav", 1), making.answered(heard(7), 0.0)),
        (facts("b.wav", 2), making.answered(heard(7), 0.95)),
        (Facts("c.wav", 0, 0, "0" * 64), making.rejected("c.wav", "empty", "holds no bytes")),
        LINK,
    ]
    book.ledger.enter(of(made, [Deferred(b"d\xff.wav", "changing", "is not as it was found")]))
    summary = book.end()
    assert book.counts == {"scored": 1, "abstained": 1, "rejected": 2, "deferred": 1}
    assert summary.by_label["7"] == 1
    assert summary.by_reason == {"empty": 1, "link": 1}
    (deferred,) = summary.deferred_files
    assert (deferred.path, deferred.reason) == ("d\\xff.wav", "changing")
    assert [row["path"] for row in rows(book.folder)] == ["a.wav", "b.wav", "c.wav", "e"]


def test_a_row_that_the_table_has_is_known_and_not_written_again(folder: Path) -> None:
    """As of a file that was touched, or read again; of the others in its chunk each has its row."""
    first = Book(folder)
    first.ledger.enter(scored(1, 2).joined(of([LINK])))
    first.end()
    second = Book(folder)
    second.ledger.enter(scored(1, 2, 3).joined(of([LINK])))
    second.end()
    assert second.counts == {"scored": 1, "known": 3}
    assert [row["path"] for row in rows(folder)] == ["001.wav", "002.wav", "003.wav", "e"]


def test_a_table_that_cannot_be_written_says_what_was_committed_before(
    book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An operator wants to know at once."""
    append = book.table.append
    versions = iter([True, True, False])

    def failing(made: pa.Table, metadata: dict[str, str]) -> int:
        if next(versions):
            return append(made, metadata)
        raise TableWriteError("the table cannot be written: No space left on device")

    monkeypatch.setattr(book.table, "append", failing)
    with pytest.raises(TableWriteError) as caught:
        book.ledger.enter(scored(*range(20)))
    told = "the table cannot be written: No space left on device (this run has committed 8 rows)"
    assert str(caught.value) == told
    assert len(rows(book.folder)) == 8

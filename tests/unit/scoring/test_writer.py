"""Entering rows: each is counted once and committed once, in batches, the run's summary with the last."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from runs import REFERENCE, STAMP, answer, rows

from audiomnist.scoring import records as making
from audiomnist.scoring.inbox.discover import Deferred
from audiomnist.scoring.records import Facts, Stamp, Verdict
from audiomnist.scoring.seen import Known
from audiomnist.scoring.summary import Run, Summary, Tally
from audiomnist.scoring.table.location import TableWriteError
from audiomnist.scoring.table.table import Table
from audiomnist.scoring.workers.scorer import Labelled
from audiomnist.scoring.writer import Ledger
from audiomnist.serving.predictor import Answer

NOW = datetime(2026, 3, 1, 2, tzinfo=UTC)
RUN = Run(
    run_id=STAMP.run_id, started_at=NOW, inbox="/inbox", model="cnn", model_version=STAMP.model_version, dataset="tones"
)
LOOP = Facts("e", 0, 0), making.rejected("e", "link_loop", "leads back to itself")


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


def of(made: Sequence[tuple[Facts, Verdict]], deferred: Sequence[Deferred] = (), stamp: Stamp = STAMP) -> Labelled:
    """Return what came of files, each in a millisecond."""
    table = making.table(made, stamp, NOW)
    return Labelled(table, [0.001] * len(made), [], [*deferred])


class Book:
    """A ledger at the beginning of a run."""

    def __init__(self, folder: Path, stamp: Stamp = STAMP, batch_size: int = 4) -> None:
        self.folder = folder
        self.table = Table.create(folder)
        self.tally = Tally(REFERENCE)
        self.known = Known.read(self.table, stamp.model_version)
        self.ledger = Ledger(self.table, self.known, self.tally, stamp, batch_size)

    @property
    def counts(self) -> dict[str, int]:
        """What was counted."""
        return {name: files for name, files in self.tally.counts.items() if files}

    def end(self, unread: Sequence[tuple[Facts, Verdict]] = ()) -> Summary:
        """End the run."""
        self.ledger.enter_unread([*unread])
        self.ledger.enter_copies()
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
    assert (run.run_id, run.summary) == (STAMP.run_id, None)


def test_every_outcome_is_counted_once(book: Book) -> None:
    """Rows by their status, and deferred files by their reason."""
    made = [
        (facts("a.wav", 1), making.answered(heard(7), 0.0)),
        (facts("b.wav", 2), making.answered(heard(7), 0.95)),
        (Facts("c.wav", 0, 0, "0" * 64), making.rejected("c.wav", "empty", "holds no bytes")),
    ]
    book.ledger.enter(of(made, [Deferred(b"d\xff.wav", "changing", "is not as it was found")]))
    summary = book.end([LOOP])
    assert book.counts == {"scored": 1, "abstained": 1, "rejected": 2, "deferred": 1}
    assert summary.by_label["7"] == 1
    assert summary.by_reason == {"empty": 1, "link_loop": 1}
    (deferred,) = summary.deferred_files
    assert (deferred.path, deferred.reason) == ("d\\xff.wav", "changing")
    assert [row["path"] for row in rows(book.folder)] == ["a.wav", "b.wav", "c.wav", "e"]


def test_a_row_that_the_table_has_is_known_and_not_written_again(folder: Path) -> None:
    """As of a file that was touched, or read again; of the others in its chunk each has its row."""
    first = Book(folder)
    first.ledger.enter(scored(1, 2))
    first.end([LOOP])
    second = Book(folder)
    second.ledger.enter(scored(1, 2, 3))
    second.end([LOOP])
    assert second.counts == {"scored": 1, "known": 3}
    assert [row["path"] for row in rows(folder)] == ["001.wav", "002.wav", "003.wav", "e"]


def judged(path: str, content: int) -> Labelled:
    """Return a file that was hashed and not heard, for the table has the answer."""
    known = Facts(path, 1000, 1_800_000_000_000_000_000, f"{content:032x}{content:032x}")
    return replace(Labelled.of_none([]), judged=[known])


def test_a_copy_gets_the_answer_that_its_content_has(folder: Path) -> None:
    """Under its own name, with its own time and run; it counts as scored, and as a copy."""
    before = replace(STAMP, columns=STAMP.columns | {"run_id": "the run before"})
    first = Book(folder)
    first.ledger.enter(of([(facts("7.wav", 7), making.answered(heard(7), 0.0))], stamp=before))
    first.end()
    second = Book(folder)
    second.ledger.enter(judged("copy.wav", 7))
    second.end()
    assert second.counts == {"scored": 1, "copied": 1}
    original, copy = rows(folder)
    assert (copy["path"], copy["modified_ns"]) == ("copy.wav", 1_800_000_000_000_000_000)
    assert copy["run_id"] == STAMP.run_id
    assert copy["scored_at"] > NOW
    own = {"path", "modified_ns", "run_id", "scored_at"}
    assert {name: copy[name] for name in copy.keys() - own} == {name: original[name] for name in copy.keys() - own}


def test_a_copy_of_a_rejected_file_is_rejected_under_its_own_name(folder: Path) -> None:
    """The sentence names it, not the other."""
    first = Book(folder)
    first.ledger.enter(of([(facts("a\n.wav", 1), making.rejected("a\n.wav", "silent", "is silent: a\\n.wav: no"))]))
    first.end()
    second = Book(folder)
    second.ledger.enter(judged("b.wav", 1))
    second.end()
    _, copy = rows(folder)
    assert (copy["status"], copy["reason"]) == ("rejected", "silent")
    assert copy["message"] == "b.wav: is silent: a\\n.wav: no"
    assert np.isnan(answer(copy)).all()


@pytest.mark.parametrize(("before", "now", "status"), [(0.95, 0.0, "scored"), (0.0, 0.95, "abstained")])
def test_whether_a_copys_label_is_withheld_is_up_to_this_run(
    folder: Path, before: float, now: float, status: str
) -> None:
    """The answer is kept, the threshold is not."""
    first = Book(folder)
    first.ledger.enter(of([(facts("a.wav", 1), making.answered(heard(7), before))]))
    first.end()
    second = Book(folder, replace(STAMP, min_confidence=now))
    second.ledger.enter(judged("b.wav", 1))
    second.end()
    _, copy = rows(folder)
    assert copy["status"] == status
    assert copy["digit"] == (7 if status == "scored" else None)
    assert copy["confidence"] == pytest.approx(0.91)


def test_copies_are_looked_up_for_many_files_at_a_time(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A look-up reads the whole table."""
    first = Book(folder)
    first.ledger.enter(scored(*range(10)))
    first.end()
    second = Book(folder)
    lookups = []
    lookup = second.table.lookup

    def noted(contents: list[str], model_version: str) -> pa.Table:
        lookups.append(len(contents))
        return lookup(contents, model_version)

    monkeypatch.setattr(second.table, "lookup", noted)
    for number in range(10):
        second.ledger.enter(judged(f"copy {number}.wav", number))
    second.end()
    assert lookups == [4, 4, 2]
    assert [row["digit"] for row in rows(folder) if row["path"].startswith("copy")] == [*range(10)]


def test_what_was_committed_is_known_from_then_on(book: Book) -> None:
    """So a content that comes again later in the run is not heard again, if it is told in time."""
    book.ledger.enter(scored(*range(5)))
    assert book.known.has_content(facts("x", 3).content_sha256 or "")
    assert not book.known.has_content(facts("x", 4).content_sha256 or "")


def test_a_content_that_comes_again_is_counted_as_copied(book: Book) -> None:
    """In the same chunk, in another one, or after its row was committed; a thing without content never is."""
    again = [(facts(f"again {content}.wav", content), making.answered(heard(1), 0.0)) for content in (0, 0, 4)]
    book.ledger.enter(scored(*range(5)))
    book.ledger.enter(of(again[1:2]))
    book.ledger.enter(of(again[2:]))
    book.ledger.enter(of([(facts(f"new {number}.wav", 9), making.answered(heard(1), 0.0)) for number in range(2)]))
    summary = book.end([LOOP, (LOOP[0]._replace(path="f"), LOOP[1])])
    assert (summary.scored, summary.rejected, summary.copied) == (9, 2, 3)


def test_a_touched_file_is_known(folder: Path) -> None:
    """Its content is judged, and its row is there."""
    first = Book(folder)
    first.ledger.enter(scored(7))
    first.end()
    second = Book(folder)
    second.ledger.enter(judged("007.wav", 7))
    second.end()
    assert second.counts == {"known": 1}
    assert len(rows(folder)) == 1


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

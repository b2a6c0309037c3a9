"""Selection of new files: new ones are passed on in chunks, all others are counted."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

import pytest
from runs import REFERENCE, RUN_COLUMNS

from audiomnist.scoring import records
from audiomnist.scoring.inbox.discover import Candidate, Deferred, Entry, Excluded, Unusable
from audiomnist.scoring.new_files import new_chunks
from audiomnist.scoring.records import FileInfo, FileResult, Outcome
from audiomnist.scoring.seen import SeenFiles
from audiomnist.scoring.shutdown import Stop
from audiomnist.scoring.summary import Counters

SIZE_BYTES, MODIFIED_NS = 1000, 1_700_000_000_000_000_000
PIPE = Unusable(b"pipe", 0, MODIFIED_NS, "not_regular_file", "is no file but a pipe")
PART = Deferred(b"a.part", "unfinished_name", "has the name of an unfinished file")


def files(*names: str) -> list[Entry]:
    """Return candidates."""
    return [Candidate(name.encode(), SIZE_BYTES, MODIFIED_NS) for name in names]


def numbered(count: int) -> list[Entry]:
    """Return as many candidates."""
    return files(*(f"{number:03}.wav" for number in range(count)))


def table_with(*paths: str) -> SeenFiles:
    """Return what a table has: a row for each path, rejected unread if its name has no dot."""
    found = [
        FileResult(
            FileInfo(path, SIZE_BYTES, MODIFIED_NS, "0" * 64 if "." in path else None),
            Outcome("rejected", reason="empty", message="empty"),
            0.0,
        )
        for path in paths
    ]
    return SeenFiles(records.table(found, RUN_COLUMNS, datetime(2026, 1, 1, tzinfo=UTC)).to_batches())


class Sorted:
    """The chunks and counts of a finished selection."""

    def __init__(
        self,
        found: Iterable[Entry],
        *seen: str,
        limit: int | None = None,
        reread: bool = False,
        chunk_files: int = 4,
        stop: Stop | None = None,
    ) -> None:
        self.counters = Counters(REFERENCE)
        seen_files = table_with(*seen)
        stop = stop or Stop()
        chunks = new_chunks(found, seen_files, self.counters, stop, limit=limit, reread=reread, chunk_files=chunk_files)
        self.chunks = [[item.path.decode() for item in chunk] for chunk in chunks]
        self.counts = {name: files for name, files in self.counters.counts.items() if files}


@pytest.mark.parametrize(("count", "sizes"), [(0, []), (1, [1]), (4, [4]), (5, [4, 1]), (12, [4, 4, 4])])
def test_new_files_come_in_chunks_in_the_order_of_the_inbox(count: int, sizes: list[int]) -> None:
    """None is empty, and only the last is smaller."""
    done = Sorted(numbered(count))
    assert [len(chunk) for chunk in done.chunks] == sizes
    assert [path for chunk in done.chunks for path in chunk] == [f"{number:03}.wav" for number in range(count)]
    assert done.counts == ({"found": count} if count else {})


def test_large_files_come_in_smaller_chunks() -> None:
    """Their sounds are in memory at one time."""
    large = [Candidate(f"{number}.wav".encode(), 6 * 2**20, MODIFIED_NS) for number in range(7)]
    assert [len(chunk) for chunk in Sorted(large, chunk_files=256).chunks] == [3, 3, 1]


def test_no_more_is_taken_from_the_inbox_than_the_chunk_in_hand_needs() -> None:
    """Memory does not grow with the inbox."""
    found = iter(numbered(100))
    counters = Counters(REFERENCE)
    chunks = new_chunks(found, table_with(), counters, Stop(), limit=None, reread=False, chunk_files=4)
    next(chunks)
    assert len([*found]) == 96


def test_unchanged_files_are_counted_and_not_passed_on() -> None:
    """Path, size and modification time together decide."""
    changed = [
        Candidate(b"longer.wav", SIZE_BYTES + 1, MODIFIED_NS),
        Candidate(b"touched.wav", SIZE_BYTES, MODIFIED_NS + 1),
    ]
    done = Sorted([*files("a.wav", "new.wav"), *changed], "a.wav", "longer.wav", "touched.wav")
    assert done.chunks == [["new.wav", "longer.wav", "touched.wav"]]
    assert done.counts == {"found": 4, "unchanged": 1}


def test_rereading_passes_on_unchanged_files_too() -> None:
    """They are counted after they were read."""
    done = Sorted(files("a.wav", "new.wav"), "a.wav", reread=True)
    assert done.chunks == [["a.wav", "new.wav"]]
    assert done.counts == {"found": 2}


@pytest.mark.parametrize(("limit", "taken"), [(0, 0), (1, 1), (4, 4), (5, 5), (9, 9), (10, 9)])
def test_the_limit_is_of_files_that_are_taken_and_the_rest_is_counted_as_remaining(limit: int, taken: int) -> None:
    """Unchanged files do not use it up."""
    done = Sorted(numbered(12), "000.wav", "004.wav", "011.wav", limit=limit)
    assert sum(map(len, done.chunks)) == taken
    assert done.counters.counts["remaining"] == 9 - taken
    assert done.counters.counts["unchanged"] == 3


def test_what_is_deferred_is_not_handed_on_and_what_cannot_be_read_is() -> None:
    """The one is counted with its reason; the other gets its row where the others do."""
    done = Sorted([*files("a.wav"), PART, PIPE, *files("b.wav")])
    assert done.chunks == [["a.wav", "pipe", "b.wav"]]
    assert done.counts == {"found": 4, "deferred": 1}


def test_what_is_excluded_is_counted_and_not_handed_on() -> None:
    """It does not use up the limit either."""
    done = Sorted([Excluded(b"old"), *files("a.wav", "b.wav")], limit=1)
    assert done.chunks == [["a.wav"]]
    assert done.counts == {"found": 3, "excluded": 1, "remaining": 1}


def test_what_cannot_be_read_is_known_once_it_has_its_row() -> None:
    """Whatever its time is by now, for it has no content that could change."""
    later = Unusable(PIPE.path, PIPE.size_bytes, MODIFIED_NS + 1, PIPE.reason, PIPE.detail)
    done = Sorted([later], "pipe")
    assert done.chunks == []
    assert done.counts == {"found": 1, "unchanged": 1}


def test_what_cannot_be_read_counts_as_new_under_the_limit() -> None:
    """It gets a row like the others, or remains."""
    done = Sorted([*files("a.wav"), PIPE, PART], limit=1)
    assert done.chunks == [["a.wav"]]
    assert done.counts == {"found": 3, "remaining": 1, "deferred": 1}


def test_paths_are_known_by_the_text_that_the_table_has() -> None:
    """Bytes that are no text included."""
    done = Sorted([Candidate(b"caf\xe9.wav", SIZE_BYTES, MODIFIED_NS)], "caf\\xe9.wav")
    assert done.counts == {"found": 1, "unchanged": 1}


def stopping(found: list[Entry], after: int, stop: Stop) -> Iterator[Entry]:
    """Yield what is found, and stop the run after some of it."""
    for index, item in enumerate(found):
        if index == after:
            stop.requested = True
        yield item


@pytest.mark.parametrize(("after", "taken", "remaining"), [(0, 0, 0), (1, 0, 1), (4, 4, 0), (6, 4, 2), (11, 8, 3)])
def test_a_stop_ends_the_run_and_the_chunk_in_progress_remains(after: int, taken: int, remaining: int) -> None:
    """What was found is accounted for, and what was not is for the next run."""
    stop = Stop()
    done = Sorted(stopping(numbered(12), after, stop), stop=stop)
    assert sum(map(len, done.chunks)) == taken
    assert done.counters.counts["remaining"] == remaining
    assert done.counters.counts["found"] == taken + remaining

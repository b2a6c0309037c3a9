"""Sorting what lies in the inbox: what is new goes on to be read, all else is counted at once."""

from collections.abc import Iterator
from dataclasses import dataclass

from audiomnist.scoring import records
from audiomnist.scoring.inbox import paths
from audiomnist.scoring.inbox.discover import Candidate, Deferred, Found, Unusable
from audiomnist.scoring.records import Facts, Verdict
from audiomnist.scoring.seen import Known
from audiomnist.scoring.shutdown import Stop
from audiomnist.scoring.summary import Tally
from audiomnist.scoring.workers.scorer import Chunk

# What the files of a chunk may have together: their sounds are in memory at one time, in up to twelve times as much.
_CHUNK_BYTES = 16 * 2**20


@dataclass(frozen=True)
class Terms:
    """Which files are taken.

    Attributes:
        limit: new files at most, None for all; those that are known or deferred once they are read do not count.
        reread: whether files are read whose size and time the table has.
        chunk_files: files that are handed on in one go, at most; fewer where they are large.
        stop: once it is set no more are taken.
    """

    limit: int | None
    reread: bool
    chunk_files: int
    stop: Stop


class Intake:
    """New files in chunks, in the order of the inbox.

    A chunk may be empty, so that things which are rejected without being read can be taken from `unread` meanwhile.
    """

    def __init__(self, found: Iterator[Found], known: Known, tally: Tally, terms: Terms) -> None:
        self._unread: list[tuple[Facts, Verdict]] = []
        self._found, self._known, self._tally, self._terms = found, known, tally, terms
        self._taken = self._unsettled = 0

    def chunks(self) -> Iterator[Chunk]:
        """Yield the new files; one that was found but not yielded is counted as left.

        Where the limit is reached, what came of files that were yielded is waited for before others are left: an empty
        chunk asks for it.
        """
        chunk: list[Candidate] = []
        size_bytes = 0
        for item in self._found:
            if self._terms.stop.is_set():
                break
            self._tally.add_found()
            if isinstance(item, Candidate) and self._is_unknown(item):
                while self._is_full() and (chunk or self._unsettled):
                    yield self._handed_on(chunk)
                    chunk, size_bytes = [], 0
                if self._is_within_limit():
                    chunk.append(item)
                    size_bytes += item.size_bytes
            elif not isinstance(item, Candidate):
                self._set_aside(item)
            if max(len(chunk), len(self._unread)) >= self._terms.chunk_files or size_bytes > _CHUNK_BYTES:
                yield self._handed_on(chunk)
                chunk, size_bytes = [], 0
        if self._terms.stop.is_set():
            self._tally.add_left(len(chunk))
        elif chunk:
            yield self._handed_on(chunk)

    def settle(self, files: int, new: int) -> None:
        """Take note that it is known what came of files that were yielded, and how many of them were new."""
        self._unsettled -= files
        self._taken -= files - new

    def _handed_on(self, chunk: list[Candidate]) -> Chunk:
        self._unsettled += len(chunk)
        return chunk

    def unread(self) -> list[tuple[Facts, Verdict]]:
        """Return the rows of things that are rejected without being read, since it was last asked."""
        unread, self._unread = self._unread, []
        return unread

    def _is_unknown(self, item: Candidate) -> bool:
        path = paths.text(item.path)
        if not self._terms.reread and self._known.has_stat(path, item.size_bytes, item.modified_ns):
            self._tally.add_known(1)
            return False
        return True

    def _is_full(self) -> bool:
        return self._terms.limit is not None and self._taken >= self._terms.limit

    def _is_within_limit(self) -> bool:
        if self._is_full():
            self._tally.add_left(1)
            return False
        self._taken += 1
        return True

    def _set_aside(self, item: Deferred | Unusable) -> None:
        path = paths.text(item.path)
        if isinstance(item, Deferred):
            self._tally.add_deferred(path, item.reason, item.sentence)
        elif self._known.has_row(path, None):
            self._tally.add_known(1)
        elif self._is_within_limit():
            facts = Facts(path, item.size_bytes, item.modified_ns)
            self._unread.append((facts, records.rejected(path, item.reason, item.sentence)))

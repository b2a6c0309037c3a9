"""Sorting what lies in the inbox: what is new goes on to be read, all else is counted at once."""

from collections.abc import Iterator
from dataclasses import dataclass

from audiomnist.scoring.inbox import paths
from audiomnist.scoring.inbox.discover import Candidate, Deferred, Found, Unusable
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
        limit: how many are taken at most, whatever becomes of them then; None for all.
        reread: whether files are read whose size and time the table has.
        chunk_files: files that are handed on in one go, at most; fewer where they are large.
        stop: once it is set no more are taken.
    """

    limit: int | None
    reread: bool
    chunk_files: int
    stop: Stop


class Intake:
    """New files in chunks, in the order of the inbox; among them what is rejected without being read."""

    def __init__(self, found: Iterator[Found], known: Known, tally: Tally, terms: Terms) -> None:
        self._found, self._known, self._tally, self._terms = found, known, tally, terms
        self._taken = 0

    def chunks(self) -> Iterator[Chunk]:
        """Yield the new files; one that was found but not yielded is counted as left."""
        chunk: list[Candidate | Unusable] = []
        size_bytes = 0
        for item in self._found:
            if self._terms.stop.is_set():
                break
            self._tally.add_found()
            if isinstance(item, Deferred):
                self._tally.add_deferred(paths.text(item.path), item.reason, item.sentence)
            elif self._is_unknown(item) and self._is_within_limit():
                chunk.append(item)
                size_bytes += item.size_bytes
            if len(chunk) == self._terms.chunk_files or size_bytes > _CHUNK_BYTES:
                yield chunk
                chunk, size_bytes = [], 0
        if self._terms.stop.is_set():
            self._tally.add_left(len(chunk))
        elif chunk:
            yield chunk

    def _is_unknown(self, item: Candidate | Unusable) -> bool:
        """Return whether the table lacks a file, so far as that shows without reading it; count it if not."""
        path = paths.text(item.path)
        if isinstance(item, Unusable):
            is_known = self._known.has_row(path, None)
        else:
            is_known = not self._terms.reread and self._known.has_stat(path, item.size_bytes, item.modified_ns)
        self._tally.add_known(int(is_known))
        return not is_known

    def _is_within_limit(self) -> bool:
        if self._taken == self._terms.limit:
            self._tally.add_left(1)
            return False
        self._taken += 1
        return True

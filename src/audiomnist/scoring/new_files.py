"""Selection of new files: what the table lacks is passed on in chunks, everything else is counted."""

from collections.abc import Iterator
from dataclasses import dataclass

from audiomnist.scoring.inbox import paths
from audiomnist.scoring.inbox.discover import Candidate, Deferred, Entry, Unusable
from audiomnist.scoring.seen import SeenFiles
from audiomnist.scoring.shutdown import Stop
from audiomnist.scoring.summary import Counters
from audiomnist.scoring.workers.scorer import Chunk

# Size of the files of a chunk: their decoded samples are in memory together, and take up to twelve times as much.
_CHUNK_BYTES = 16 * 2**20


@dataclass(frozen=True)
class RunLimits:
    """Which files a run takes.

    Attributes:
        limit: maximum number of new files, whatever their outcome; None for all.
        reread: whether to take files whose size and modification time are in the table.
        chunk_files: maximum number of files per chunk; large files make smaller chunks.
        stop: no more files are taken once it is set.
    """

    limit: int | None
    reread: bool
    chunk_files: int
    stop: Stop


class NewFiles:
    """The new files of an inbox, in its order, including those that are rejected without being read."""

    def __init__(self, entries: Iterator[Entry], seen: SeenFiles, counters: Counters, limits: RunLimits) -> None:
        self._entries, self._seen, self._counters, self._limits = entries, seen, counters, limits
        self._taken = 0

    def chunks(self) -> Iterator[Chunk]:
        """Yield the new files; a new file that is not yielded is counted as remaining."""
        chunk: list[Candidate | Unusable] = []
        size_bytes = 0
        for entry in self._entries:
            if self._limits.stop.is_set():
                break
            self._counters.add_found()
            if isinstance(entry, Deferred):
                self._counters.add_deferred(paths.text(entry.path), entry.reason, entry.sentence)
            elif self._is_new(entry) and self._is_within_limit():
                chunk.append(entry)
                size_bytes += entry.size_bytes
            if len(chunk) == self._limits.chunk_files or size_bytes > _CHUNK_BYTES:
                yield chunk
                chunk, size_bytes = [], 0
        if self._limits.stop.is_set():
            self._counters.add_remaining(len(chunk))
        elif chunk:
            yield chunk

    def _is_new(self, entry: Candidate | Unusable) -> bool:
        """Return whether the table lacks a file, as far as can be known without reading it; count it if not."""
        path = paths.text(entry.path)
        if isinstance(entry, Unusable):
            is_seen = self._seen.has_row(path, None)
        else:
            is_seen = not self._limits.reread and self._seen.has_stat(path, entry.size_bytes, entry.modified_ns)
        self._counters.add_unchanged(int(is_seen))
        return not is_seen

    def _is_within_limit(self) -> bool:
        if self._taken == self._limits.limit:
            self._counters.add_remaining(1)
            return False
        self._taken += 1
        return True

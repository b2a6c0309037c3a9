"""Selection of new files: those that the table lacks are passed on in chunks, all others are counted."""

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
class NewFiles:
    """The new files of an inbox, in its order, including those that are rejected without being read.

    Attributes:
        entries: the entries of the inbox.
        seen: the files that the table has.
        counters: the counts of the run.
        limit: maximum number of new files, whatever their outcome; None for all.
        reread: whether to take files whose size and modification time are in the table.
        chunk_files: maximum number of files per chunk; large files make smaller chunks.
        stop: no more files are taken once it is set.
    """

    entries: Iterator[Entry]
    seen: SeenFiles
    counters: Counters
    limit: int | None
    reread: bool
    chunk_files: int
    stop: Stop

    def chunks(self) -> Iterator[Chunk]:
        """Yield the new files; a new file that is not yielded is counted as remaining."""
        chunk: list[Candidate | Unusable] = []
        size_bytes = taken = 0
        for entry in self.entries:
            if self.stop.is_set():
                break
            self.counters.add("found")
            if isinstance(entry, Deferred):
                self.counters.add_deferred(paths.text(entry.path), entry.reason, entry.sentence)
            elif self._is_seen(entry):
                self.counters.add("unchanged")
            elif taken == self.limit:
                self.counters.add("remaining")
            else:
                chunk.append(entry)
                taken += 1
                size_bytes += entry.size_bytes
            if len(chunk) == self.chunk_files or size_bytes > _CHUNK_BYTES:
                yield chunk
                chunk, size_bytes = [], 0
        if self.stop.is_set():
            self.counters.add("remaining", len(chunk))
        elif chunk:
            yield chunk

    def _is_seen(self, entry: Candidate | Unusable) -> bool:
        """Return whether the table has a file, as far as can be known without reading it."""
        path = paths.text(entry.path)
        if isinstance(entry, Unusable):
            return self.seen.has_row(path, None)
        return not self.reread and self.seen.has_stat(path, entry.size_bytes, entry.modified_ns)

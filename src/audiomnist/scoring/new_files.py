"""Selection of new files: those that the table lacks are passed on in chunks, all others are counted."""

from collections.abc import Iterable, Iterator

from audiomnist.scoring.inbox import paths
from audiomnist.scoring.inbox.discover import Candidate, Deferred, Entry, Excluded, Unusable
from audiomnist.scoring.seen import SeenFiles
from audiomnist.scoring.shutdown import Stop
from audiomnist.scoring.summary import Counters
from audiomnist.scoring.workers.scorer import Chunk

# Size of the files of a chunk: their decoded samples are in memory together, and take up to twelve times as much.
_CHUNK_BYTES = 16 * 2**20


def new_chunks(
    entries: Iterable[Entry],
    seen: SeenFiles,
    counters: Counters,
    stop: Stop,
    *,
    limit: int | None,
    reread: bool,
    chunk_files: int,
) -> Iterator[Chunk]:
    """Yield new files in the order of the inbox, also those that are rejected without being read; count all others.

    At most `limit` files are taken, whatever their outcome, and none once a stop is requested: the files of an
    unfinished chunk are then counted as remaining. With `reread`, files whose size and modification time are in the
    table are taken too. A chunk has at most `chunk_files` files, fewer if they are large.
    """
    chunk: list[Candidate | Unusable] = []
    size_bytes = taken = 0
    for entry in entries:
        if stop.requested:
            break
        counters.add("found")
        if isinstance(entry, Excluded):
            counters.add("excluded")
        elif isinstance(entry, Deferred):
            counters.add_deferred(paths.text(entry.path), entry.reason, entry.detail)
        elif _is_seen(entry, seen, reread=reread):
            counters.add("unchanged")
        elif taken == limit:
            counters.add("remaining")
        else:
            chunk.append(entry)
            taken += 1
            size_bytes += entry.size_bytes
        if len(chunk) == chunk_files or size_bytes > _CHUNK_BYTES:
            yield chunk
            chunk, size_bytes = [], 0
    if stop.requested:
        counters.add("remaining", len(chunk))
    elif chunk:
        yield chunk


def _is_seen(entry: Candidate | Unusable, seen: SeenFiles, *, reread: bool) -> bool:
    """Return whether the table has a file, as far as can be known without reading it."""
    path = paths.text(entry.path)
    if isinstance(entry, Unusable):
        return seen.has_row(path, None)
    return not reread and seen.has_stat(path, entry.size_bytes, entry.modified_ns, entry.etag)

"""Index of the files in the table: two 16-byte hashes per row, long enough to rule out collisions."""

from collections.abc import Iterable
from hashlib import blake2b
from typing import Self

import pyarrow as pa

from audiomnist.scoring.table.table import Table

_COLUMNS = ("path", "size_bytes", "modified_ns", "etag", "content_sha256")


class SeenFiles:
    """Files that need not be read, or need no new row, because the table has them."""

    def __init__(self, rows: Iterable[pa.RecordBatch]) -> None:
        """Index rows of the table, which need only the columns that identify the file."""
        self._stats: set[bytes] = set()
        self._rows: set[bytes] = set()
        for batch in rows:
            paths, sizes, times, etags, contents = (batch[column].to_pylist() for column in _COLUMNS)
            versions = (etag or modified_ns for etag, modified_ns in zip(etags, times, strict=True))
            self._stats.update(map(_key, sizes, versions, paths))
            self._rows.update(map(_key, contents, paths))

    @classmethod
    def read(cls, table: Table | None, model_version: str, *, rescore: bool = False) -> Self:
        """Index a table, or nothing if it does not exist yet; raises TableError if it cannot be read.

        With `rescore`, only rows of this model version are indexed, so that files scored by other models are new.
        """
        only = {"model_version": [model_version]} if rescore else None
        return cls(table.scan(_COLUMNS, only) if table else ())

    def has_stat(self, path: str, size_bytes: int, modified_ns: int, etag: str | None = None) -> bool:
        """Return whether a row has this path and size, and this ETag or else modification time: it need not be read."""
        return _key(size_bytes, etag or modified_ns, path) in self._stats

    def has_row(self, path: str, content_sha256: str | None) -> bool:
        """Return whether a row has this path and content (None for a file that was not read)."""
        return _key(content_sha256, path) in self._rows


def _key(*parts: object) -> bytes:
    """Return the hash of some values; only the last one may contain spaces."""
    return blake2b(" ".join(map(str, parts)).encode(), digest_size=16).digest()

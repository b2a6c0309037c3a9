"""Index of the files in the table: two 16-byte hashes per row, long enough to rule out collisions.

The hashes are sorted in temporary files that are mapped into memory: the system keeps there what is in use, as long as
there is room.
"""

from collections.abc import Iterable
from hashlib import blake2b
from tempfile import TemporaryFile
from typing import Self

import numpy as np
import pyarrow as pa

from audiomnist.scoring.table.table import Table

_KEY_BYTES = 16
_KEY = np.dtype(f"S{_KEY_BYTES}")
_COLUMNS = ("path", "size_bytes", "modified_ns", "etag", "content_sha256")


class SeenFiles:
    """Files that need not be read, or need no new row, because the table has them."""

    def __init__(self, rows: Iterable[pa.RecordBatch]) -> None:
        """Index rows of the table, which need only the columns that identify the file."""
        self._stats, self._rows = _KeyFile(), _KeyFile()
        for batch in rows:
            paths, sizes, times, etags, contents = (batch[column].to_pylist() for column in _COLUMNS)
            versions = (etag or modified_ns for etag, modified_ns in zip(etags, times, strict=True))
            self._stats.add(map(_key, sizes, versions, paths))
            self._rows.add(map(_key, contents, paths))
        self._stats.sort()
        self._rows.sort()

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


class _KeyFile:
    """Keys in a temporary file, which is deleted with this object. First all are added, then they are sorted."""

    def __init__(self) -> None:
        self._file = TemporaryFile()  # noqa: SIM115 - closed, and so deleted, with this object
        self._keys = np.empty(0, _KEY)

    def add(self, keys: Iterable[bytes]) -> None:
        self._file.write(b"".join(keys))

    def sort(self) -> None:
        self._file.flush()
        if self._file.tell():
            self._keys = np.asarray(np.memmap(self._file, _KEY))
            self._keys.sort()

    def __contains__(self, key: bytes) -> bool:
        place = self._keys.searchsorted(np.array(key, _KEY))
        return self._keys[place : place + 1].tobytes() == key


def _key(*parts: object) -> bytes:
    """Return the hash of some values; only the last one may contain spaces."""
    return blake2b(" ".join(map(str, parts)).encode(), digest_size=_KEY_BYTES).digest()

"""What the table has already: two hashes of 16 bytes for each row, long enough that no two things share one."""

from collections.abc import Iterable
from hashlib import blake2b
from typing import Self

import pyarrow as pa

from audiomnist.scoring.table.table import Table

_COLUMNS = ("path", "size_bytes", "modified_ns", "content_sha256")


class Known:
    """What needs no reading, or no row, because the table has it."""

    def __init__(self, rows: Iterable[pa.RecordBatch]) -> None:
        """Take rows of a table, or at least those of their columns that say which file it is."""
        self._stats: set[bytes] = set()
        self._rows: set[bytes] = set()
        for batch in rows:
            paths, sizes, times, contents = (batch[column].to_pylist() for column in _COLUMNS)
            self._stats.update(map(_key, sizes, times, paths))
            self._rows.update(map(_key, contents, paths))

    @classmethod
    def read(cls, table: Table | None, model_version: str, *, rescore: bool = False) -> Self:
        """Return what a table has.

        Args:
            table: None has nothing.
            model_version: of the model that is in use.
            rescore: whether only its rows count, so that a file known from another model is new.

        Raises:
            TableError: the table cannot be read.
        """
        only = {"model_version": [model_version]} if rescore else None
        return cls(table.scan(_COLUMNS, only) if table else ())

    def has_stat(self, path: str, size_bytes: int, modified_ns: int) -> bool:
        """Return whether there is a row of this path with this size and time, so that it need not be read."""
        return _key(size_bytes, modified_ns, path) in self._stats

    def has_row(self, path: str, content_sha256: str | None) -> bool:
        """Return whether there is a row of this path with this content, None for what was not read."""
        return _key(content_sha256, path) in self._rows


def _key(*parts: object) -> bytes:
    """Return the hash of some values; only the last one may have blanks in it."""
    return blake2b(" ".join(map(str, parts)).encode(), digest_size=16).digest()

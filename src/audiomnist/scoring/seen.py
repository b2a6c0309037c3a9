"""What the table has already, in bounded memory: three keys of 16 bytes a row, 48 MB for a million rows.

A key is a hash or the first half of one, long enough that no two things share it.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from copy import copy
from hashlib import blake2b
from typing import Protocol, Self

import numpy as np
import pyarrow as pa

_KEY_BYTES = 16
_CONTENT_COLUMNS = ("content_sha256", "model_version")
_COLUMNS = ("path", "size_bytes", "modified_ns", *_CONTENT_COLUMNS)
_MOST_UNSORTED = 65_536


class Keys:
    """A set of keys that grows: a sorted array, and what was added since it was last sorted. It can be pickled."""

    def __init__(self, keys: bytearray) -> None:
        """Take keys that stand one behind the other in any order, and the bytearray with them."""
        self._sorted = np.frombuffer(keys, f"S{_KEY_BYTES}")
        self._sorted.sort()
        self._unsorted: set[bytes] = set()

    def __contains__(self, key: bytes) -> bool:
        if key in self._unsorted:
            return True
        if len(self._sorted) == 0:
            return False
        place = int(self._sorted.searchsorted(key))
        return self._sorted[place : place + 1].tobytes() == key

    def snapshot(self) -> Self:
        """Return what it holds now; keys that are added to one are not in the other."""
        other = copy(self)
        self._unsorted = set(self._unsorted)
        return other

    def update(self, keys: Iterable[bytes]) -> None:
        """Add keys, some of which may be there already."""
        self._unsorted.update(keys)
        if len(self._unsorted) > _MOST_UNSORTED:
            added = np.frombuffer(b"".join(self._unsorted), self._sorted.dtype)
            self._sorted = np.concatenate([self._sorted, added])
            self._sorted.sort()
            self._unsorted.clear()


class Rows(Protocol):
    """What can be scanned as `audiomnist.scoring.table.table.Table` can, which workers do without."""

    def scan(
        self, columns: Sequence[str], only: Mapping[str, Collection[str | int]] | None
    ) -> Iterator[pa.RecordBatch]:
        """Yield some columns of all rows, or of those with one of a few values in a column."""
        ...


class Known:
    """What needs no reading, no row or no prediction, because the table has it.

    Attributes:
        contents: the contents that the model has judged; with `content_key` a process of its own can ask it.
    """

    def __init__(self, model_version: str, stats: Keys, rows: Keys, contents: Keys) -> None:
        self.contents = contents
        self._model_version = model_version
        self._stats = stats
        self._rows = rows

    @classmethod
    def read(cls, table: Rows | None, model_version: str, *, rescore: bool = False) -> "Known":
        """Return what a table has.

        Args:
            table: None has nothing.
            model_version: of the model that is in use; only its judgements of contents count.
            rescore: whether only its rows count as rows, so that a file known from another model is new.

        Raises:
            TableError: the table cannot be read.
        """
        only = {"model_version": [model_version]} if rescore else None
        stats, rows, contents = bytearray(), bytearray(), bytearray()
        for batch in table.scan(_COLUMNS, only) if table else ():
            stats += b"".join(_stat_keys(batch))
            rows += b"".join(_row_keys(batch))
            contents += b"".join(_content_keys(batch, model_version))
        return cls(model_version, Keys(stats), Keys(rows), Keys(contents))

    def has_stat(self, path: str, size_bytes: int, modified_ns: int) -> bool:
        """Return whether there is a row of this path with this size and time, so that it need not be read."""
        return _stat_key(path, size_bytes, modified_ns) in self._stats

    def has_row(self, path: str, content_sha256: str | None) -> bool:
        """Return whether there is a row of this path with this content."""
        return _row_key(path, content_sha256) in self._rows

    def has_content(self, content_sha256: str) -> bool:
        """Return whether the model has judged this content, at whatever path."""
        return content_key(content_sha256) in self.contents

    def add_contents(self, rows: pa.Table) -> None:
        """Take note of the contents of rows that were appended to the table.

        Their paths are not: a run comes to each path once, and asks for none that it has entered.
        """
        for batch in rows.select(_CONTENT_COLUMNS).to_batches():
            self.contents.update(_content_keys(batch, self._model_version))


def content_key(content_sha256: str) -> bytes:
    """Return the key of a content, given its SHA-256 in hexadecimal."""
    return bytes.fromhex(content_sha256)[:_KEY_BYTES]


def _stat_key(path: str, size_bytes: int, modified_ns: int) -> bytes:
    return _hashed(f"{size_bytes} {modified_ns} {path}")


def _row_key(path: str, content_sha256: str | None) -> bytes:
    return _hashed(f"{content_sha256} {path}")


def _hashed(text: str) -> bytes:
    return blake2b(text.encode(), digest_size=_KEY_BYTES).digest()


def _stat_keys(batch: pa.RecordBatch) -> Iterable[bytes]:
    return map(_stat_key, *_values(batch, "path", "size_bytes", "modified_ns"))


def _row_keys(batch: pa.RecordBatch) -> Iterable[bytes]:
    return map(_row_key, *_values(batch, "path", "content_sha256"))


def _content_keys(batch: pa.RecordBatch, model_version: str) -> Iterable[bytes]:
    rows = zip(*_values(batch, "content_sha256", "model_version"), strict=True)
    return (content_key(content) for content, model in rows if content is not None and model == model_version)


def _values(batch: pa.RecordBatch, *columns: str) -> list[list[object]]:
    return [batch[column].to_pylist() for column in columns]

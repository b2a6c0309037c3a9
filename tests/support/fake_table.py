"""A table that is not on disk."""

from collections.abc import Collection, Iterator, Mapping, Sequence

import pyarrow as pa


class InMemory:
    """Rows that can be scanned as those of a table can."""

    def __init__(self, rows: pa.Table) -> None:
        """Take the rows."""
        self._rows = rows

    def scan(
        self, columns: Sequence[str], only: Mapping[str, Collection[str | int]] | None = None
    ) -> Iterator[pa.RecordBatch]:
        """Yield the rows, all that there are."""
        assert not only, "rows in memory are not filtered"
        yield from self._rows.select(columns).to_batches()

"""A look at a few rows of the table."""

from collections.abc import Collection, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from audiomnist.scoring.table.schema import SCHEMA
from audiomnist.scoring.table.table import Table


def latest(table: Table, only: Mapping[str, Collection[str | int]], count: int) -> tuple[list[dict[str, Any]], int]:
    """Return the rows that were made last, the latest first, and how many rows there are in all.

    Args:
        table: the table.
        only: columns with the values that the rows must have there.
        count: rows at most; no more than these are in memory.
    """
    kept, total = SCHEMA.empty_table(), 0
    for batch in table.scan(only=only):
        total += len(batch)
        together = pa.concat_tables([kept, pa.table(batch)])
        order = pc.sort_indices(together, [("scored_at", "descending"), ("path", "ascending")])
        kept = together.take(order[:count])
    return kept.to_pylist(), total

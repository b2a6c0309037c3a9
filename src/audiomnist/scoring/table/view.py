"""The latest rows of a table."""

from collections.abc import Collection, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from audiomnist.scoring.table.schema import SCHEMA
from audiomnist.scoring.table.table import Table


def latest(table: Table, only: Mapping[str, Collection[str | int]], count: int) -> tuple[list[dict[str, Any]], int]:
    """Return the latest rows, sorted from the latest, and the number of all rows that match.

    Args:
        table: the table.
        only: accepted values by column.
        count: maximum number of rows, which also bounds memory.
    """
    kept, total = SCHEMA.empty_table(), 0
    for batch in table.scan(only=only):
        total += len(batch)
        rows = pa.concat_tables([kept, pa.table(batch)])
        indices = pc.sort_indices(rows, [("scored_at", "descending"), ("path", "ascending")])
        kept = rows.take(indices[:count])
    return kept.to_pylist(), total

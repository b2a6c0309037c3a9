r"""Export of table rows to Parquet, CSV or JSON lines.

Senders choose the file names in the inbox, and a spreadsheet runs a text that begins with `=`, `+`, `-`, `@`, a tab or
a carriage return as a formula. In CSV such a first character is therefore written as `\\xNN`, like a byte of `path`
that is not valid UTF-8.
"""

import json
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from audiomnist.core import atomic
from audiomnist.core.errors import AudiomnistError

Batches = Iterable[pa.RecordBatch]


class OutputError(AudiomnistError):
    """A file or stream cannot be written: the suffix is not that of a format, or the disk is full, for example."""


def write(target: Path, schema: pa.Schema, batches: Batches) -> None:
    """Write batches to a `.parquet`, `.csv` or `.jsonl` file, which appears whole or not at all.

    One batch is in memory at a time. Raises OutputError if the suffix is another, or the file cannot be written.
    """
    if target.suffix not in _WRITERS:
        raise OutputError(f"{target}: the name must end with {', '.join(_WRITERS)}, for the format")
    try:
        with atomic.replaced_file(target) as temporary:
            _WRITERS[target.suffix](temporary, schema, batches)
    except OSError as error:
        raise OutputError(f"{target} cannot be written: {error}") from error


def _parquet(path: Path, schema: pa.Schema, batches: Batches) -> None:
    with path.open("wb") as file, pq.ParquetWriter(file, schema, compression="zstd") as writer:
        for batch in batches:
            writer.write_batch(batch)


def _csv(path: Path, schema: pa.Schema, batches: Batches) -> None:
    with path.open("wb") as file, pyarrow.csv.CSVWriter(file, schema) as writer:
        for batch in batches:
            writer.write(_mapped(batch, pa.types.is_string, _without_formulas))


def _json_lines(path: Path, _schema: pa.Schema, batches: Batches) -> None:
    with path.open("w", encoding="utf-8") as file:
        for batch in batches:
            for row in _mapped(batch, pa.types.is_floating, _finite_or_null).to_pylist():
                file.write(json.dumps(row, default=datetime.isoformat, ensure_ascii=False, allow_nan=False) + "\n")


_WRITERS = {".parquet": _parquet, ".csv": _csv, ".jsonl": _json_lines}


def _mapped(batch: pa.RecordBatch, is_type: Callable[[Any], bool], change: Callable[[pa.Array], pa.Array]) -> Any:
    """Return the batch with a function applied to all columns of some type."""
    columns = [change(column) if is_type(column.type) else column for column in batch.columns]
    return pa.record_batch(columns, schema=batch.schema)


def _without_formulas(texts: pa.Array) -> pa.Array:
    import pyarrow.compute as pc  # noqa: PLC0415 - takes 50 ms, which a run without --csv saves

    for start in "=+-@\t\r":
        code = f"\\x{ord(start):02x}"
        texts = pc.replace_substring_regex(texts, f"^{code}", f"\\{code}")
    return texts


def _finite_or_null(numbers: pa.Array) -> pa.Array:
    """Return numbers, with null in place of NaN and infinity, which JSON lacks."""
    import pyarrow.compute as pc  # noqa: PLC0415 - see above

    return pc.if_else(pc.is_finite(numbers), numbers, None)

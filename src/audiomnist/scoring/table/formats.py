r"""Rows of the table as a file of their own: Parquet, CSV or JSON lines.

Whoever puts a file into the inbox chooses its name, and a spreadsheet takes a text that begins with `=`, `+`, `-`,
`@`, a tab or a carriage return for a formula to be run. In CSV such a first character is therefore written as `\\xNN`,
the way in which `path` writes a byte that is no text.
"""

import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from audiomnist.core import atomic
from audiomnist.core.errors import AudiomnistError

_FORMULA = r"^[=+\-@\t\r]"

Batches = Iterable[pa.RecordBatch]


class OutputError(AudiomnistError):
    """Rows cannot be written to a file, or text to a stream: the suffix names no format, or the disk is full."""


def write(target: Path, schema: pa.Schema, batches: Batches) -> None:
    """Write batches of one schema to a file, which appears whole or not at all.

    Args:
        target: its suffix is `.parquet`, `.csv` or `.jsonl`.
        schema: of the batches.
        batches: taken one at a time, so that memory is bounded by the largest.

    Raises:
        OutputError: the suffix is none of these, or the file cannot be written.
    """
    if target.suffix not in _WRITERS:
        raise OutputError(f"{target}: the name must end with {', '.join(_WRITERS)}, which says what is written")
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
            writer.write(_mapped(batch, pa.types.is_string, _harmless))


def _json_lines(path: Path, _schema: pa.Schema, batches: Batches) -> None:
    with path.open("w", encoding="utf-8") as file:
        for batch in batches:
            for row in _mapped(batch, pa.types.is_floating, _finite).to_pylist():
                file.write(json.dumps(row, default=_iso, ensure_ascii=False, allow_nan=False) + "\n")


_WRITERS: dict[str, Callable[[Path, pa.Schema, Batches], None]] = {
    ".parquet": _parquet,
    ".csv": _csv,
    ".jsonl": _json_lines,
}


def _mapped(batch: pa.RecordBatch, kind: Callable[[Any], bool], change: Callable[[pa.Array], pa.Array]) -> Any:
    """Return the batch with all columns of a kind changed."""
    columns = [change(column) if kind(column.type) else column for column in batch.columns]
    return pa.record_batch(columns, schema=batch.schema)


def _harmless(texts: pa.Array) -> pa.Array:
    """Return texts, none of which a spreadsheet takes for a formula."""
    import pyarrow.compute as pc  # noqa: PLC0415 - takes a twentieth of a second, which a run does not have to wait

    if not pc.any(pc.match_substring_regex(texts, _FORMULA)).as_py():
        return texts
    return pa.array([text and re.sub(_FORMULA, _escaped, text) for text in texts.to_pylist()], texts.type)


def _escaped(match: re.Match[str]) -> str:
    return f"\\x{ord(match[0]):02x}"


def _finite(numbers: pa.Array) -> pa.Array:
    """Return numbers with null for those that JSON has no words for."""
    import pyarrow.compute as pc  # noqa: PLC0415 - see above

    return pc.if_else(pc.is_finite(numbers), numbers, None)


def _iso(moment: Any) -> str:
    return str(moment.isoformat())

"""The table of log-probabilities, a row per recording.

Columns:

- `file`, `sha256`: the recording, as in the manifest;
- `context`: length of the encoder's input, in frames of 10 ms;
- `logprobs`: natural logarithm of the probability of each listed first token, <= 0.

The key `METADATA_KEY` of the schema's metadata holds the recognizer's record as JSON: engine, version, hash of the
weights, settings, and under `tokens` the texts of the listed tokens.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

TABLE_NAME = "logprobs.parquet"
METADATA_KEY = b"audiomnist.recognizer"


def schema(recognizer: dict[str, Any]) -> pa.Schema:
    """Return the schema of a table of this recognizer."""
    fields = [
        ("file", pa.string()),
        ("sha256", pa.string()),
        ("context", pa.int32()),
        ("logprobs", pa.list_(pa.float32(), len(recognizer["tokens"]))),
    ]
    return pa.schema(fields, {METADATA_KEY: json.dumps(recognizer, sort_keys=True)})


def write(folder: Path, rows: Sequence[dict[str, Any]], recognizer: dict[str, Any]) -> None:
    """Write the table into an existing folder."""
    parquet.write_table(pa.Table.from_pylist(list(rows), schema(recognizer)), folder / TABLE_NAME)


def read(folder: Path) -> tuple[pa.Table, dict[str, Any]]:
    """Return the table in a folder, and the recognizer's record."""
    table = parquet.read_table(folder / TABLE_NAME)
    return table, json.loads(table.schema.metadata[METADATA_KEY])

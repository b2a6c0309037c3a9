"""The table of transcripts: what a speech recogniser made of each recording.

Its columns:

- `file`, `sha256`: the recording, as the manifest has it;
- `engine`, `engine_version`: the recogniser, and the versions of the libraries that it is made of;
- `status`: a `Status`;
- `text`: the best hypothesis, "" if there is none;
- `hypotheses`: what the recogniser considered, best first, each with a score. A higher score is better;
  its scale is the engine's own;
- `seconds`: the wall time that recognition took, in seconds (a clip's share of its batch).

The key `METADATA_KEY` of the schema's metadata holds the recogniser's identity as JSON.
"""

from enum import StrEnum
from pathlib import Path

import pyarrow as pa
from pyarrow import parquet

TABLE_NAME = "transcripts.parquet"
METADATA_KEY = b"audiomnist.recogniser"
SCHEMA = pa.schema(
    [
        ("file", pa.string()),
        ("sha256", pa.string()),
        ("engine", pa.string()),
        ("engine_version", pa.string()),
        ("status", pa.string()),
        ("text", pa.string()),
        ("hypotheses", pa.list_(pa.struct([("text", pa.string()), ("score", pa.float32())]))),
        ("seconds", pa.float64()),
    ]
)


class Status(StrEnum):
    """How recognition ended: with a text, without one, or not at all (the sound cannot be used)."""

    RECOGNISED = "recognised"
    UNRECOGNISED = "unrecognised"
    FAILED = "failed"


def write(folder: Path, table: pa.Table) -> None:
    """Write the table into a folder, which exists."""
    parquet.write_table(table, folder / TABLE_NAME)


def read(folder: Path) -> pa.Table:
    """Return the table that stands in a folder."""
    return parquet.read_table(folder / TABLE_NAME)

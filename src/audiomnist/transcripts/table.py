"""The table of transcripts: what a speech recognizer made of each recording.

Its columns:

- `file`, `sha256`: the recording, as the manifest has it (of an augmented copy, in a table of its own beside it, a
  SHA-256 of what it is made from);
- `engine`, `engine_version`: the recognizer, and the versions of the libraries that it is made of;
- `status`: a `Status`;
- `text`: the best hypothesis, "" if there is none;
- `hypotheses`: what the recognizer considered, best first, each with a score. A higher score is better;
  its scale is the engine's own.

The key `METADATA_KEY` of the schema's metadata holds the recognizer's identity as JSON.
"""

from enum import StrEnum
from pathlib import Path

import pyarrow as pa
from pyarrow import parquet

TABLE_NAME = "transcripts.parquet"
_COPY_NAME = "copy_{}.parquet"
METADATA_KEY = b"audiomnist.recognizer"
SCHEMA = pa.schema(
    [
        ("file", pa.string()),
        ("sha256", pa.string()),
        ("engine", pa.string()),
        ("engine_version", pa.string()),
        ("status", pa.string()),
        ("text", pa.string()),
        ("hypotheses", pa.list_(pa.struct([("text", pa.string()), ("score", pa.float32())]))),
    ]
)


class Status(StrEnum):
    """How recognition ended: with a text, without one, or not at all (the sound cannot be used)."""

    RECOGNIZED = "recognized"
    NO_SPEECH = "unrecognized"
    FAILED = "failed"


def write(folder: Path, table: pa.Table, copy: int = 0) -> None:
    """Write the table of the recordings, or of their augmented copies of that number, into a folder, which exists."""
    parquet.write_table(table, folder / (_COPY_NAME.format(copy) if copy else TABLE_NAME))


def read(folder: Path) -> pa.Table:
    """Return the table of the recordings that stands in a folder."""
    return parquet.read_table(folder / TABLE_NAME)


def read_copies(folder: Path) -> list[pa.Table]:
    """Return the tables of augmented copies that stand in a folder, by number."""
    copies = sorted(folder.glob(_COPY_NAME.format("*")), key=lambda path: (len(path.name), path.name))
    return [parquet.read_table(path) for path in copies]

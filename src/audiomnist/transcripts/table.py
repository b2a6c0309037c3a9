"""The tables of transcripts: one of the recordings, and one per augmented copy.

Columns:

- `file`, `sha256`: the recording, as in the manifest (for a copy: a SHA-256 of what determines its samples);
- `engine`, `engine_version`: the recognizer, and the versions of its libraries;
- `status`: a `Status`;
- `text`: the best hypothesis, "" if there is none;
- `hypotheses`: texts, best first, each with a score: higher is better, and the scale depends on the engine.

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
    """Result of recognition: a text, no text, or an error (unusable audio)."""

    RECOGNIZED = "recognized"
    NO_SPEECH = "unrecognized"
    FAILED = "failed"


def write(folder: Path, table: pa.Table, copy: int = 0) -> None:
    """Write the table of the recordings (copy 0), or of augmented copies by their number, into an existing folder."""
    parquet.write_table(table, folder / (_COPY_NAME.format(copy) if copy else TABLE_NAME))


def read(folder: Path) -> pa.Table:
    """Return the table of the recordings in a folder."""
    return parquet.read_table(folder / TABLE_NAME)


def read_copies(folder: Path) -> list[pa.Table]:
    """Return the tables of augmented copies in a folder, in the order of their numbers."""
    copies = sorted(folder.glob(_COPY_NAME.format("*")), key=lambda path: (len(path.name), path.name))
    return [parquet.read_table(path) for path in copies]

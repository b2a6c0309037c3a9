"""Cache of finished recognitions, so that an interrupted run is resumed.

Each batch is one file, written atomically: an interrupted run loses only the batches in progress. The files are in a
folder named after a hash of everything that determines the results (engine, version, weights, settings), and rows are
found by the SHA-256 of the recording: another recognizer, setting or recording never reuses a result.
"""

import hashlib
import json
import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from audiomnist.core import atomic
from audiomnist.transcripts import table

Row = dict[str, Any]


@dataclass(frozen=True)
class Identity:
    """Everything that determines the results of a recognizer."""

    engine: str
    version: str
    weights_sha256: str | None
    settings: dict[str, Any]

    def json(self) -> str:
        """Return it as JSON, the same for equal values."""
        return json.dumps(asdict(self), sort_keys=True)


class RecognitionCache:
    """The finished rows of one recognizer, in `work/<SHA-256 of its identity>/`."""

    def __init__(self, work: Path, identity: Identity) -> None:
        self._folder = work / hashlib.sha256(identity.json().encode()).hexdigest()

    def rows(self) -> dict[str, Row]:
        """Return the finished rows by the SHA-256 of their recording."""
        files = sorted(self._folder.glob("*.parquet"))
        return {row["sha256"]: row for file in files for row in parquet.read_table(file).to_pylist()}

    def add(self, rows: Sequence[Row]) -> None:
        """Write rows atomically and durably."""
        if not rows:
            return
        name = hashlib.sha256("".join(row["sha256"] for row in rows).encode()).hexdigest()
        with atomic.replaced_file(self._folder / f"{name}.parquet") as temporary:
            parquet.write_table(pa.Table.from_pylist(rows, table.SCHEMA), temporary)

    def clear(self) -> None:
        """Remove these rows; those of other recognizers stay."""
        shutil.rmtree(self._folder, ignore_errors=True)
        with suppress(OSError):  # not empty, or absent
            self._folder.parent.rmdir()

"""The recognitions that are already done, kept until the whole table is written.

Each batch is a file of its own, which appears whole or not at all: a run that is cut off loses the
batches in hand and nothing else. The files of one recognizer lie in a folder named after all that
bears on its results (its name, version, weights and settings), and rows are found by the SHA-256 of
the recording, so that no result serves for another recognizer, another setting or another sound.
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
    """All that bears on the results of a recognizer."""

    engine: str
    version: str
    weights_sha256: str | None
    settings: dict[str, Any]

    def json(self) -> str:
        """Return it as JSON, the same for the same values."""
        return json.dumps(asdict(self), sort_keys=True)

    def fingerprint(self) -> str:
        """Return the SHA-256 of the JSON, in hexadecimal."""
        return hashlib.sha256(self.json().encode()).hexdigest()


class Finished:
    """The rows that one recognizer has finished, in `work/<fingerprint>/`."""

    def __init__(self, work: Path, identity: Identity) -> None:
        self._work = work
        self._folder = work / identity.fingerprint()

    def rows(self) -> dict[str, Row]:
        """Return the finished rows by the SHA-256 of their recording."""
        files = sorted(self._folder.glob("*.parquet"))
        return {row["sha256"]: row for file in files for row in parquet.read_table(file).to_pylist()}

    def keep(self, rows: Sequence[Row]) -> None:
        """Write rows durably; after a crash they are there in full."""
        if not rows:
            return
        name = hashlib.sha256("".join(row["sha256"] for row in rows).encode()).hexdigest()
        with atomic.replaced_file(self._folder / f"{name}.parquet") as temporary:
            parquet.write_table(pa.Table.from_pylist(rows, table.SCHEMA), temporary)

    def clear(self) -> None:
        """Remove these rows; those of other recognizers stay."""
        shutil.rmtree(self._folder, ignore_errors=True)
        with suppress(OSError):  # other recognizers' rows are in it, or it never was
            self._work.rmdir()

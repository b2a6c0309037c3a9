"""Judgements: what people heard in clips of a table, in a Delta Lake table beside it with one row per keystroke.

A judgement is never changed. A later one of the same clip by the same person replaces it; one without a label takes the
last one back.
"""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import Any

import pyarrow as pa

from audiomnist.scoring.table import lock
from audiomnist.scoring.table.kind import TableKind
from audiomnist.scoring.table.table import Table

NO_DIGIT = "no_digit"
LABELS = (*map(str, range(10)), NO_DIGIT)


def _column(name: str, kind: pa.DataType, description: str, *, nullable: bool = True) -> pa.Field:
    return pa.field(name, kind, nullable, metadata={"description": description})


_required = partial(_column, nullable=False)

SCHEMA = pa.schema(
    [
        _required("judgement_id", pa.string(), "UUID of the keystroke"),
        _required("path", pa.string(), "where the file lay, relative to the inbox"),
        _required("content_sha256", pa.string(), "SHA-256 of the file's content, in hexadecimal"),
        _required("model_version", pa.string(), "SHA-256 of the description of the model that made the judged row"),
        _required("run_id", pa.string(), "the run that wrote the judged row"),
        _column("label", pa.string(), "0 to 9, or no_digit; null takes the last judgement of the clip back"),
        _required("judged_by", pa.string(), "the person who judged"),
        _required("judged_at", pa.timestamp("us", "UTC"), "when the judgement arrived"),
        _column("sample", pa.string(), "the random sample that the clip was drawn for"),
        _column("stratum", pa.int16(), "the stratum of the sample, from 0, that the clip was drawn from"),
        _column("stratum_rows", pa.int64(), "rows of the run in that stratum"),
    ]
)

JUDGEMENTS = TableKind(
    schema=SCHEMA,
    identity=("judgement_id",),
    selective="judgement_id",
    newer=(),
    made_at="judged_at",
    name="audiomnist-reviews",
    description="Spoken digits: what people heard, one row per keystroke",
    log_retention="interval 1 days",
    maker="there are no judgements in {path}: `audiomnist review TABLE --inbox INBOX --by NAME` writes them",
    recovery="the judgements of a removed entry have to be given again",
)


# Commits between two merges of small files: reading each takes 1 ms.
_MERGED_COMMITS = 100
# A table that was read longer ago is read again before a commit: later entries of its log may have been removed.
_OLD_S = 3600


@dataclass(frozen=True)
class Judgement:
    """A keystroke; the fields are the columns of `SCHEMA`, with `judged_at` in UTC."""

    judgement_id: str
    path: str
    content_sha256: str
    model_version: str
    run_id: str
    label: str | None
    judged_by: str
    judged_at: datetime
    sample: str | None = None
    stratum: int | None = None
    stratum_rows: int | None = None

    @property
    def clip(self) -> tuple[str, str, str]:
        """Identity of the row judged: path, content and model version."""
        return self.path, self.content_sha256, self.model_version


_values = attrgetter(*(field.name for field in fields(Judgement)))


def reviews_of(table: Path) -> Path:
    """Return the folder of the judgements of a table."""
    return table.with_name(f"{table.name}-reviews")


class Judgements:
    """The judgements in a folder. Several processes can append at once; an object is for one thread at a time."""

    def __init__(self, table: Table) -> None:
        self.path = table.path
        self._table = table
        self._ids = {judgement.judgement_id for judgement in self.all()}
        self._appended = 0
        self._failed_at: int | None = None
        self._read_at = time.monotonic()

    @classmethod
    def find(cls, folder: Path) -> "Judgements | None":
        """Return the judgements in a folder, or None if it is absent or empty; raises TableError as `Table.find`."""
        table = Table.find(folder, JUDGEMENTS)
        return cls(table) if table else None

    @classmethod
    def open(cls, folder: Path) -> "Judgements":
        """Return the judgements in a folder; raises TableError if there is no table of them."""
        return cls(Table.open(folder, JUDGEMENTS))

    @classmethod
    def create(cls, folder: Path) -> "Judgements":
        """Return the judgements in a folder, which is made if it is absent; raises TableError and TableWriteError."""
        return cls(Table.create(folder, JUDGEMENTS))

    def append(self, judgements: Sequence[Judgement]) -> None:
        """Commit, in one step, those whose id is not in the table; they are on the disk when the call returns.

        The first call, and every hundredth, merges the files of many small commits into one.

        Raises:
            TableWriteError: they are not in the table, or may not be synced to disk. A second call with the same
                judgements is safe.
        """
        if self._failed_at is not None:
            self._recover(self._failed_at)
        elif time.monotonic() - self._read_at > _OLD_S:
            self._table = Table.open(self.path, JUDGEMENTS)
        new = {judgement.judgement_id: judgement for judgement in judgements if judgement.judgement_id not in self._ids}
        if not new:
            return
        columns = zip(*map(_values, new.values()), strict=True)
        rows = pa.Table.from_pydict(dict(zip(SCHEMA.names, columns, strict=True)), SCHEMA)
        with lock.held(self.path, wait=True):  # so that the vacuum of another process removes no file of this commit
            self._failed_at = self._table.version
            self._table.append(rows, {})
            self._failed_at = None
            self._read_at = time.monotonic()
            self._ids.update(new)
            if self._appended % _MERGED_COMMITS == 0 and self._table.compact():
                self._table.vacuum()
            self._appended += 1

    def _recover(self, version: int) -> None:
        """Read the table again after an error, which may have come after the commit; sync what followed a version."""
        with lock.held(self.path, wait=True):
            self._table = Table.open(self.path, JUDGEMENTS)
            self._table.sync_since(version)
            self._ids = {judgement.judgement_id for judgement in self.all()}
            self._failed_at = None
            self._read_at = time.monotonic()

    def all(self) -> list[Judgement]:
        """Return all judgements in the order of `judged_at`; raises TableError if they cannot be read."""
        rows: list[dict[str, Any]] = [row for batch in self._table.scan() for row in batch.to_pylist()]
        return sorted((Judgement(**row) for row in rows), key=attrgetter("judged_at", "judgement_id"))


def current(judgements: Iterable[Judgement]) -> list[Judgement]:
    """Return the last judgement of each clip by each person, in the order of `judged_at`.

    The judgements are in the order in which they were made; one without a label takes back the last one of the same
    clip and person. Of two samples that share a clip, only the later judgement counts: select those of one sample
    before the call to get all of it.
    """
    by_clip: dict[tuple[object, ...], list[Judgement]] = {}
    for judgement in judgements:
        made = by_clip.setdefault((judgement.judged_by, *judgement.clip), [])
        if judgement.label is not None:
            made.append(judgement)
        elif made:
            made.pop()
    return sorted((made[-1] for made in by_clip.values() if made), key=attrgetter("judged_at", "judgement_id"))

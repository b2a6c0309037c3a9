"""A table: a Delta Lake folder that has each row exactly once, by the identity of its kind.

A commit adds a batch of rows in three steps: the rows are written to a Parquet file, which is synced to disk; Delta
Lake atomically adds the next entry to the log, which names the file; the entry and the folders are synced to disk. A
commit is an application transaction, numbered one above the last that its writer has seen: if another writer took the
number, this one reads the table again and drops the rows that are already there.

A table that an earlier version made may lack columns that are newer (`TableKind.absent`). Readers see nulls; the first
commit of rows is preceded by one that adds the columns, after which all older rows have nulls.

docs/scoring.md explains what a SIGKILL, an error or a power cut leaves in each step, and why each row is in the table
exactly once after the next run.
"""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Schema, Transaction, WriterProperties
from deltalake.exceptions import DeltaError
from deltalake.transaction import AddAction, RemoveAction

from audiomnist.core.atomic import sync
from audiomnist.core.text import listed
from audiomnist.scoring.table import delta_files, formats, history
from audiomnist.scoring.table.formats import OutputError
from audiomnist.scoring.table.history import CommittedRun
from audiomnist.scoring.table.kind import TableKind
from audiomnist.scoring.table.location import (
    TableError,
    TableWriteError,
    check_empty,
    damaged,
    exists,
    unreadable,
    unwritable,
    uri_of,
)
from audiomnist.scoring.table.schema import LABELS

_APPLICATION = "audiomnist"
_MARK = "audiomnist.commit"
_ATTEMPTS = 100

_SMALL_FILES = 32
_SMALL_BYTES = 8 * 2**20
_LARGE_BYTES = 64 * 2**20
_WRITER = WriterProperties(compression="ZSTD", max_row_group_size=16_384)


class Table:
    """A table at the version at which it was opened, plus the commits of this object."""

    def __init__(self, path: Path, delta: DeltaTable, kind: TableKind = LABELS) -> None:
        self.path = path
        self._delta = delta
        self._kind = kind
        self._is_only_writer = True

    @classmethod
    def find(cls, path: Path, kind: TableKind = LABELS) -> "Table | None":
        """Return the table in a folder, or None if the folder is absent or empty.

        The table may lack columns that are newer than it. Raises TableError if the folder has other content, a table
        with other columns, or one that cannot be read.
        """
        uri = uri_of(path)
        if not exists(path):
            return None
        try:
            if not DeltaTable.is_deltatable(uri):
                check_empty(path)
                return None
            delta = DeltaTable(uri)
        except (DeltaError, OSError) as error:
            raise damaged(path, error, kind.recovery) from error
        different = kind.differences(pa.schema(delta.schema().to_arrow()))
        if different:
            raise TableError(f"{path} is a table with other columns: {listed(different)}. Name another folder")
        return cls(path, delta, kind)

    @classmethod
    def open(cls, path: Path, kind: TableKind = LABELS) -> "Table":
        """Return the table in a folder; raises TableError if there is none, or for the reasons of `find`."""
        table = cls.find(path, kind)
        if table is None:
            raise TableError(kind.maker.format(path=path))
        return table

    @classmethod
    def create(cls, path: Path, kind: TableKind = LABELS) -> "Table":
        """Return the table in a folder; create an empty one if there is none.

        Raises TableError for the reasons of `find`, and TableWriteError if the folder cannot be written.
        """
        if table := cls.find(path, kind):
            return table
        with _writing(path):
            path.mkdir(parents=True, exist_ok=True)
            DeltaTable.create(
                uri_of(path),
                kind.schema,
                mode="ignore",
                name=kind.name,
                description=kind.description,
                configuration={"delta.logRetentionDuration": kind.log_retention},
            )
            delta_files.sync_commit(path, 0)
            sync(path.parent)
        return cls.open(path, kind)

    @property
    def version(self) -> int:
        """Number of the last commit that this object has seen."""
        return int(self._delta.version())

    def append(self, rows: pa.Table, metadata: Mapping[str, str]) -> int:
        """Commit rows, or none, in one step; return the version of the table after the commit.

        The table did not have the rows when it was opened; columns that it lacks are added first, by a commit of its
        own. The keys of `metadata` are in `audiomnist.scoring.table.history`.

        Raises:
            TableWriteError: the rows are not in the table, or may not be synced to disk.
        """
        schema = self._kind.schema
        rows = rows if rows.schema.equals(schema, check_metadata=True) else rows.cast(schema)
        if len(rows):
            self._add_absent_columns()
        for _ in range(_ATTEMPTS):
            if self._commit(rows if self._is_only_writer else self._missing(rows), metadata):
                return self.version
            self._is_only_writer = False
        raise TableWriteError(f"{self.path} cannot be written: others write to it all the time. Try again later")

    def scan(
        self, columns: Sequence[str] | None = None, only: Mapping[str, Collection[str]] | None = None
    ) -> Iterator[pa.RecordBatch]:
        """Yield the rows, by default with all columns, in batches of some thousands, in no particular order.

        `only` has the accepted values by column. Raises TableError if the table cannot be read.
        """
        columns = self._kind.schema.names if columns is None else columns
        schema = pa.schema([self._kind.schema.field(name) for name in columns])
        lacking = [field for field in self._absent_columns if field.name in columns]
        present = [name for name in columns if name not in {field.name for field in lacking}]
        try:
            for batch in pa.RecordBatchReader.from_stream(self._delta.scan(present, _sql_condition(only or {}))):
                for field in lacking:
                    batch = batch.append_column(field, pa.nulls(len(batch), field.type))  # noqa: PLW2901
                yield batch.select(schema.names).cast(schema)
        except (DeltaError, OSError, pa.ArrowException) as error:
            raise unreadable(self.path, error) from error

    def latest(self, only: Mapping[str, Collection[str]], count: int) -> tuple[list[dict[str, Any]], int]:
        """Return up to `count` rows, sorted from the latest, and the number of all rows that match.

        `only` has the accepted values by column. Memory is bounded by `count` and the size of a batch.
        """
        import pyarrow.compute as pc  # noqa: PLC0415 - takes 50 ms, which a run saves

        kept, total = self._kind.schema.empty_table(), 0
        for batch in self.scan(only=only):
            total += len(batch)
            rows = pa.concat_tables([kept, pa.table(batch)])
            indices = pc.sort_indices(rows, [(self._kind.made_at, "descending"), ("path", "ascending")])
            kept = rows.take(indices[:count])
        return kept.to_pylist(), total

    def runs(self) -> list[CommittedRun]:
        """Return the runs that committed to the table, the latest first."""
        return history.runs(self._delta.history())

    def export(self, target: Path) -> None:
        """Write all rows to a file: Parquet, CSV or JSON lines, by its suffix.

        Raises OutputError if the suffix is another, the file lies in the table, or it cannot be written; TableError if
        the table cannot be read.
        """
        if target.resolve().is_relative_to(self.path.resolve()):
            raise OutputError(f"{target} lies in the table {self.path}: name another place")
        formats.write(target, self._kind.schema, self.scan())

    def compact(self) -> int:
        """Merge small files once there are many; return how many were replaced. `vacuum` removes them."""
        with _writing(self.path):
            self._delta.update_incremental()
            sizes = pa.table(self._delta.get_add_actions())["size_bytes"].to_pylist()
            if sum(size < _SMALL_BYTES for size in sizes) < _SMALL_FILES:
                return 0
            metrics = self._delta.optimize.compact(
                target_size=_LARGE_BYTES, max_concurrent_tasks=1, writer_properties=_WRITER
            )
            delta_files.sync_commit(self.path, self.version)
        return int(metrics["numFilesRemoved"])

    def vacuum(self) -> list[str]:
        """Remove every file that the current version of the table does not use; return their names.

        These are left by crashes and replaced by `compact`. The caller must hold the lock, because files that a writer
        has not yet committed are removed too.
        """
        before = delta_files.names(self.path)
        with _writing(self.path):
            self._delta.update_incremental()
            used = {Path(uri).name for uri in self._delta.file_uris()}
            unused = [path for path in self.path.glob("part-*.parquet") if path.name not in used]
            for path in (*unused, *delta_files.half_written(self.path)):
                path.unlink()  # before Delta Lake does, which needs free disk space
            self._delta.vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False, full=True)
            self._delta.update_incremental()
        return sorted(before - delta_files.names(self.path))

    @property
    def _absent_columns(self) -> list[pa.Field]:
        return self._kind.absent(pa.schema(self._delta.schema().to_arrow()))

    def _add_absent_columns(self) -> None:
        """Add the columns that the table lacks, unless another writer does so first."""
        with _writing(self.path):
            while columns := self._absent_columns:
                before = self.version
                try:
                    self._delta.alter.add_columns(Schema.from_arrow(pa.schema(columns)).fields)
                except (DeltaError, OSError):
                    self._is_only_writer = False
                    self._delta.update_incremental()
                    if self.version == before:
                        raise
                self._is_only_writer &= self.version == before + 1
                for version in range(before + 1, self.version + 1):
                    delta_files.sync_commit(self.path, version)

    def _commit(self, rows: pa.Table, metadata: Mapping[str, str]) -> bool:
        """Try to commit rows; return False if another writer committed first."""
        mark, before = str(uuid4()), self.version
        data = self.path / f"part-{mark}.parquet"
        with _writing(self.path):
            if len(rows):
                delta_files.write_rows(data, rows)
            error = self._add_entry(_add_actions(data, len(rows)), {**metadata, _MARK: mark})
            if error is None or self._has(mark, before):
                for version in range(before + 1, self.version + 1):
                    delta_files.sync_commit(self.path, version)
                return True
            data.unlink(missing_ok=True)
            if self.version == before:
                raise error
            return False

    def _add_entry(self, actions: list[AddAction | RemoveAction], metadata: dict[str, str]) -> Exception | None:
        """Add an entry to the log and update to its last entry; return an error, after which the entry may exist."""
        number = (self._delta.transaction_version(_APPLICATION) or 0) + 1
        properties = CommitProperties(metadata, app_transactions=[Transaction(_APPLICATION, number)])
        failure = None
        try:
            self._delta.create_write_transaction(actions, "append", self._delta.schema(), commit_properties=properties)
        except (DeltaError, OSError) as error:
            failure = error
        self._delta.update_incremental()
        return failure

    def _has(self, mark: str, before: int) -> bool:
        """Return whether a commit after the version `before` has the mark."""
        commits = self._delta.history(self.version - before) if self.version > before else []
        return any(commit.get(_MARK) == mark for commit in commits)

    def _missing(self, rows: pa.Table) -> pa.Table:
        """Return the rows whose identity is not in the table."""
        kind = self._kind
        own = kind.identities(rows)
        present: set[tuple[str | None, ...]] = set()
        for batch in self.scan(kind.identity, {kind.selective: set(rows[kind.selective].to_pylist())}):
            present.update(set(own).intersection(kind.identities(batch)))
        return rows.filter(pa.array([identity not in present for identity in own], pa.bool_()))


def _add_actions(data: Path, rows: int) -> list[AddAction | RemoveAction]:
    """Return the actions that add a data file to the log; none without rows."""
    if rows == 0:
        return []
    status = data.stat()
    statistics = json.dumps({"numRecords": rows})
    return [AddAction(data.name, status.st_size, {}, status.st_mtime_ns // 10**6, data_change=True, stats=statistics)]


def _sql_condition(only: Mapping[str, Collection[str]]) -> str | None:
    def is_among(column: str, values: Collection[str]) -> str:
        quoted = ", ".join("'" + value.replace("'", "''") + "'" for value in values)
        return f"{column} IN ({quoted})" if quoted else "FALSE"

    return " AND ".join(is_among(column, values) for column, values in only.items()) or None


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except (DeltaError, OSError) as error:
        raise unwritable(path, error) from error

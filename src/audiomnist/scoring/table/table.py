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
from deltalake import CommitProperties, DeltaTable, Schema, Transaction
from deltalake.exceptions import DeltaError, TableNotFoundError
from deltalake.transaction import AddAction, RemoveAction

from audiomnist.core.text import listed
from audiomnist.scoring.table import formats, history
from audiomnist.scoring.table.formats import OutputError
from audiomnist.scoring.table.history import CommittedRun
from audiomnist.scoring.table.kind import TableKind
from audiomnist.scoring.table.location import TableError, TableWriteError, damaged, unreadable, unwritable
from audiomnist.scoring.table.schema import LABELS
from audiomnist.scoring.table.storage import storage_of
from audiomnist.storage.url import Place

_APPLICATION = "audiomnist"
_MARK = "audiomnist.commit"
_ATTEMPTS = 100

_SMALL_FILES = 32
_SMALL_BYTES = 8 * 2**20
_LARGE_BYTES = 64 * 2**20


class Table:
    """A table at the version at which it was opened, plus the commits of this object."""

    def __init__(self, path: Place, delta: DeltaTable, kind: TableKind = LABELS) -> None:
        self.path = path
        self._storage = storage_of(path)
        self._delta = delta
        self._kind = kind
        self._is_only_writer = True

    @classmethod
    def find(cls, path: Place, kind: TableKind = LABELS) -> "Table | None":
        """Return the table in a folder, or None if the folder is absent or empty.

        The table may lack columns that are newer than it. Raises TableError if the folder has other content, a table
        with other columns, or one that cannot be read.
        """
        storage = storage_of(path)
        if not storage.exists():
            return None
        try:
            # is_deltatable() would hold up all threads, and with them signals, while a store does not answer.
            try:
                delta = DeltaTable(storage.uri, storage_options=storage.options)
            except TableNotFoundError:
                storage.check_empty()
                return None
        except (DeltaError, OSError) as error:
            raise damaged(path, error, kind.recovery) from error
        different = kind.differences(pa.schema(delta.schema().to_arrow()))
        if different:
            raise TableError(f"{path} is a table with other columns: {listed(different)}. Name another folder")
        return cls(path, delta, kind)

    @classmethod
    def open(cls, path: Place, kind: TableKind = LABELS) -> "Table":
        """Return the table in a folder; raises TableError if there is none, or for the reasons of `find`."""
        table = cls.find(path, kind)
        if table is None:
            raise TableError(kind.maker.format(path=path))
        return table

    @classmethod
    def create(cls, path: Place, kind: TableKind = LABELS) -> "Table":
        """Return the table in a folder; create an empty one if there is none.

        Raises TableError for the reasons of `find`, and TableWriteError if the folder cannot be written.
        """
        storage, table = storage_of(path), cls.find(path, kind)
        with _writing(path):
            storage.make()
            if table:
                return table
            try:
                DeltaTable.create(
                    storage.uri,
                    kind.schema,
                    mode="ignore",
                    name=kind.name,
                    description=kind.description,
                    configuration={"delta.logRetentionDuration": kind.log_retention},
                    storage_options=storage.options,
                )
            except (DeltaError, OSError):  # also where another writer has created it since it was looked for
                if not cls.find(path, kind):
                    raise
            storage.sync_commit(0)
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
        raise TableWriteError(f"{self.path} cannot be written: others write to it all the time. Try again later")

    def sync_since(self, version: int) -> None:
        """Return once the commits after a version would survive a power cut.

        Raises:
            TableWriteError: they may not.
        """
        with _writing(self.path):
            for later in range(version + 1, self.version + 1):
                self._storage.sync_commit(later)

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
        if isinstance(self.path, Path) and target.resolve().is_relative_to(self.path.resolve()):
            raise OutputError(f"{target} lies in the table {self.path}: name another place")
        formats.write(target, self._kind.schema, self.scan())

    def compact(self) -> int:
        """Merge small files once there are many; return how many were replaced. `vacuum` removes them.

        Nothing is merged while another writer commits: the commit of a merge is numbered like any other.
        """
        with _writing(self.path):
            self._delta.update_incremental()
            files = pa.table(self._delta.get_add_actions()).select(["path", "size_bytes"]).to_pylist()
            small = [file for file in files if file["size_bytes"] < _SMALL_BYTES and "/" not in file["path"]]
            if len(small) < _SMALL_FILES:
                return 0
            return sum(len(names) for names in _groups(small) if self._merge(names))

    def vacuum(self) -> list[str]:
        """Remove every file that the current version of the table does not use; return their names.

        These are left by crashes and replaced by `compact`. The caller must hold the lock of a folder, because files
        that a writer has not yet committed are removed too; in an object store, files younger than a week are kept.
        """
        with _writing(self.path):
            before = self._storage.names()
            self._delta.update_incremental()
            self._storage.remove_unused({Path(uri).name for uri in self._delta.file_uris()})
            hours = self._storage.retention_hours
            self._delta.vacuum(retention_hours=hours, enforce_retention_duration=False, dry_run=False, full=True)
            self._delta.update_incremental()
            return sorted(before - self._storage.names())

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
                self.sync_since(before)

    def _merge(self, names: Sequence[str]) -> bool:
        """Try to replace files by one with their rows; return False if another writer committed first."""
        rows = pa.concat_tables(map(self._storage.read_rows, names), promote_options="default")
        for field in self._kind.absent(rows.schema):
            rows = rows.append_column(field, pa.nulls(len(rows), field.type))
        return self._commit(rows.select(self._kind.schema.names).cast(self._kind.schema), {}, replaced=names)

    def _commit(self, rows: pa.Table, metadata: Mapping[str, str], replaced: Sequence[str] = ()) -> bool:
        """Try to commit rows, new ones or those of replaced files; return False if another writer committed first."""
        mark, before = str(uuid4()), self.version
        data = f"part-{mark}.parquet"
        with _writing(self.path):
            actions: list[AddAction | RemoveAction] = []
            if len(rows):
                size_bytes, modified_ms = self._storage.write_rows(data, rows)
                statistics = json.dumps({"numRecords": len(rows)})
                actions = [AddAction(data, size_bytes, {}, modified_ms, data_change=not replaced, stats=statistics)]
                actions += [RemoveAction(name, data_change=False, deletion_timestamp=modified_ms) for name in replaced]
            error = self._add_entry(actions, {**metadata, _MARK: mark})
            if error is None or self._has(mark, before):
                self.sync_since(before)
                return True
            if actions:
                self._storage.remove(data)
            if self.version == before:
                raise error
            self._is_only_writer = False
            return False

    def _add_entry(self, actions: list[AddAction | RemoveAction], metadata: dict[str, str]) -> Exception | None:
        """Add an entry to the log and update to its last entry; return an error, after which the entry may exist."""
        number = (self._delta.transaction_version(_APPLICATION) or 0) + 1
        properties = CommitProperties(metadata, app_transactions=[Transaction(_APPLICATION, number)])
        failure = None
        try:
            self._delta.create_write_transaction(
                [*actions], "append", self._delta.schema(), commit_properties=properties
            )
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


def _groups(files: Sequence[Mapping[str, Any]]) -> Iterator[list[str]]:
    """Yield names of files, at least two, that are about as large together as a file should be."""
    names: list[str] = []
    size_bytes = 0
    for file in files:
        names.append(file["path"])
        size_bytes += file["size_bytes"]
        if size_bytes >= _LARGE_BYTES:
            yield names
            names, size_bytes = [], 0
    if len(names) > 1:
        yield names


def _sql_condition(only: Mapping[str, Collection[str]]) -> str | None:
    def is_among(column: str, values: Collection[str]) -> str:
        quoted = ", ".join("'" + value.replace("'", "''") + "'" for value in values)
        return f"{column} IN ({quoted})" if quoted else "FALSE"

    return " AND ".join(is_among(column, values) for column, values in only.items()) or None


@contextmanager
def _writing(path: Place) -> Iterator[None]:
    try:
        yield
    except (DeltaError, OSError) as error:
        raise unwritable(path, error) from error

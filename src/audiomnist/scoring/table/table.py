"""The table: a Delta Lake folder with one row per path, content and model version, each there exactly once.

A batch of rows gets into the table by one commit, in three steps: the rows are written to a Parquet file and forced
to the disk; Delta Lake adds the next entry to the log, which names the file, whole or not at all; the entry and the
names of all files are forced to the disk. A commit is an application transaction, numbered one above the last that
its writer has seen: if another took the number, the writer reads the table again and drops the rows that are there.

docs/scoring.md says what a SIGKILL, an error or a power cut leaves in each step, and why each row is there exactly
once after the next run.
"""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Transaction, WriterProperties
from deltalake.exceptions import DeltaError
from deltalake.transaction import AddAction, RemoveAction

from audiomnist.core.text import listed
from audiomnist.scoring.table import delta_files, formats, history
from audiomnist.scoring.table.formats import OutputError
from audiomnist.scoring.table.history import Run
from audiomnist.scoring.table.location import (
    TableError,
    TableWriteError,
    address,
    check_empty,
    damaged,
    exists,
    unreadable,
    unwritable,
)
from audiomnist.scoring.table.schema import IDENTITY, SCHEMA, differences, identities

_APPLICATION = "audiomnist"
_MARK = "audiomnist.commit"
_PROPERTIES = {"delta.logRetentionDuration": "interval 3650 days"}
_ATTEMPTS = 100

_SMALL_FILES = 32
_SMALL_BYTES = 8 * 2**20
_LARGE_BYTES = 64 * 2**20
_WRITER = WriterProperties(compression="ZSTD", max_row_group_size=16_384)


class Table:
    """One table, as it was when it was opened and as this object's own commits have changed it since."""

    def __init__(self, path: Path, delta: DeltaTable) -> None:
        self.path = path
        self._delta = delta
        self._alone = True

    @classmethod
    def find(cls, path: Path) -> "Table | None":
        """Return the table in a folder, None if the folder is absent or empty.

        Raises:
            TableError: the folder holds something else, a table with other columns, or one that cannot be read.
        """
        uri = address(path)
        if not exists(path):
            return None
        try:
            if not DeltaTable.is_deltatable(uri):
                check_empty(path)
                return None
            delta = DeltaTable(uri)
        except (DeltaError, OSError) as error:
            raise damaged(path, error) from error
        wrong = differences(pa.schema(delta.schema().to_arrow()))
        if wrong:
            raise TableError(f"{path} is a table with other columns: {listed(wrong)}. Name another folder")
        return cls(path, delta)

    @classmethod
    def open(cls, path: Path) -> "Table":
        """Return the table in a folder; raises TableError as `find` does, and if there is none."""
        table = cls.find(path)
        if table is None:
            raise TableError(f"there is no table in {path}: `audiomnist score INBOX --into {path}` makes one")
        return table

    @classmethod
    def create(cls, path: Path) -> "Table":
        """Return the table in a folder, made with no rows if there is none.

        Raises:
            TableError: as `find` does.
            TableWriteError: the folder cannot be written.
        """
        return cls.find(path) or cls._made(path)

    @classmethod
    def _made(cls, path: Path) -> "Table":
        with _writing(path):
            path.mkdir(parents=True, exist_ok=True)
            DeltaTable.create(
                address(path),
                SCHEMA,
                mode="ignore",
                name="audiomnist",
                description="Spoken digits: one row per path, content and model version",
                configuration=_PROPERTIES,
            )
            delta_files.sync_commit(path, 0)
            delta_files.sync(path.parent)
        return cls.open(path)

    @property
    def version(self) -> int:
        """Number of the last commit that this object knows of."""
        return int(self._delta.version())

    def append(self, rows: pa.Table, metadata: Mapping[str, str]) -> int:
        """Commit rows in one step.

        Args:
            rows: of `SCHEMA`, each of an identity that the table did not have when it was opened; may be none.
            metadata: to be kept with the commit, under the keys in `audiomnist.scoring.table.history`.

        Returns:
            The table's version with them.

        Raises:
            TableWriteError: the rows are not in the table, or not surely on the disk.
        """
        rows = rows if rows.schema.equals(SCHEMA, check_metadata=True) else rows.cast(SCHEMA)
        for _ in range(_ATTEMPTS):
            if self._attempt(rows if self._alone else self._unknown(rows), metadata):
                return self.version
            self._alone = False
        raise TableWriteError(f"{self.path} cannot be written: others write to it all the time. Try again later")

    def scan(
        self, columns: Sequence[str] = SCHEMA.names, only: Mapping[str, Collection[str | int]] | None = None
    ) -> Iterator[pa.RecordBatch]:
        """Yield the table in batches of some thousand rows, in no particular order.

        Args:
            columns: the columns to read.
            only: columns, and the few values of which each row must have one there.

        Raises:
            TableError: the table cannot be read.
        """
        schema = pa.schema([SCHEMA.field(name) for name in columns])
        try:
            for batch in pa.RecordBatchReader.from_stream(self._delta.scan(schema.names, _condition(only or {}))):
                yield batch.select(schema.names).cast(schema)
        except (DeltaError, OSError, pa.ArrowException) as error:
            raise unreadable(self.path, error) from error

    def runs(self) -> list[Run]:
        """Return the runs that committed to the table, the latest first."""
        return history.runs(self._delta.history())

    def export(self, target: Path) -> None:
        """Write all rows to a file, as Parquet, CSV or JSON lines by its suffix.

        Raises:
            OutputError: the suffix is none of these, the file lies in the table, or it cannot be written.
            TableError: the table cannot be read.
        """
        if target.resolve().is_relative_to(self.path.resolve()):
            raise OutputError(f"{target} lies in the table {self.path}: name another place")
        formats.write(target, SCHEMA, self.scan())

    def compact(self) -> int:
        """Put files together once many are small; return how many were replaced, which stay until `vacuum`."""
        with _writing(self.path):
            self._delta.update_incremental()
            sizes = pa.table(self._delta.get_add_actions())["size_bytes"].to_pylist()
            if sum(size < _SMALL_BYTES for size in sizes) < _SMALL_FILES:
                return 0
            done = self._delta.optimize.compact(
                target_size=_LARGE_BYTES, max_concurrent_tasks=1, writer_properties=_WRITER
            )
            delta_files.sync_commit(self.path, self.version)
        return int(done["numFilesRemoved"])

    def vacuum(self) -> list[str]:
        """Remove every file that the table as it is now does not use; return their names.

        These are what crashes left and what `compact` replaced. To be called by who holds the lock, for what a
        writer has not yet committed is among them.
        """
        before = delta_files.names(self.path)
        with _writing(self.path):
            self._delta.update_incremental()
            self._make_room()
            self._delta.vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False, full=True)
            self._delta.update_incremental()
        return sorted(before - delta_files.names(self.path))

    def _make_room(self) -> None:
        """Remove data files that are not used and halves of entries: Delta Lake first writes that it is going to."""
        used = {Path(uri).name for uri in self._delta.file_uris()}
        unused = [path for path in self.path.glob("part-*.parquet") if path.name not in used]
        for path in (*unused, *delta_files.half_written(self.path)):
            path.unlink()

    def _attempt(self, rows: pa.Table, metadata: Mapping[str, str]) -> bool:
        """Commit rows; return whether that came about, which it does not if another writer came first."""
        mark, before = str(uuid4()), self.version
        data = self.path / f"part-{mark}.parquet"
        with _writing(self.path):
            if len(rows):
                delta_files.write_rows(data, rows)
            failure = self._enter(_added(data, len(rows)), {**metadata, _MARK: mark})
            if failure is None or self._has(mark, before):
                for version in range(before + 1, self.version + 1):
                    delta_files.sync_commit(self.path, version)
                return True
            data.unlink(missing_ok=True)
            if self.version == before:
                raise failure
            return False

    def _enter(self, added: list[AddAction | RemoveAction], metadata: dict[str, str]) -> DeltaError | OSError | None:
        """Add an entry to the log and read what the log is now; return the error that hides how it went, if any."""
        number = (self._delta.transaction_version(_APPLICATION) or 0) + 1
        properties = CommitProperties(metadata, app_transactions=[Transaction(_APPLICATION, number)])
        failure = None
        try:
            self._delta.create_write_transaction(added, "append", self._delta.schema(), commit_properties=properties)
        except (DeltaError, OSError) as error:
            failure = error
        self._delta.update_incremental()
        return failure

    def _has(self, mark: str, before: int) -> bool:
        """Return whether a commit after the version `before` bears the mark."""
        commits = self._delta.history(self.version - before) if self.version > before else []
        return any(commit.get(_MARK) == mark for commit in commits)

    def _unknown(self, rows: pa.Table) -> pa.Table:
        """Return those rows whose identity is not in the table by now."""
        mine = identities(rows)
        known: set[tuple[str | None, ...]] = set()
        for batch in self.scan(IDENTITY, {"model_version": set(rows["model_version"].to_pylist())}):
            known.update(set(mine).intersection(identities(batch)))
        return rows.filter(pa.array([identity not in known for identity in mine], pa.bool_()))


def _added(data: Path, rows: int) -> list[AddAction | RemoveAction]:
    """Return what an entry of the log says of a data file; without rows there is none."""
    if rows == 0:
        return []
    status = data.stat()
    statistics = json.dumps({"numRecords": rows})
    return [AddAction(data.name, status.st_size, {}, status.st_mtime_ns // 10**6, data_change=True, stats=statistics)]


def _condition(only: Mapping[str, Collection[str | int]]) -> str | None:
    """Return the condition in SQL."""
    return " AND ".join(f"{column} IN ({', '.join(map(_literal, only[column])) or 'NULL'})" for column in only) or None


def _literal(value: str | int) -> str:
    return str(value) if isinstance(value, int) else "'" + value.replace("'", "''") + "'"


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except (DeltaError, OSError) as error:
        raise unwritable(path, error) from error

"""Where a table is: a folder of this machine, or one in an object store.

Delta Lake itself reads and writes the log in both. Here is what else a table needs: on this machine, files that are
synced to disk; in a store, conditional writes, by which only one of two writers can add the next entry of the log.
"""

from pathlib import Path
from typing import Protocol
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq

from audiomnist.core.atomic import sync
from audiomnist.core.text import listed
from audiomnist.scoring.table import delta_files, location
from audiomnist.scoring.table.location import TableError, TableWriteError
from audiomnist.storage import store
from audiomnist.storage.url import Place, Url


class TableStorage(Protocol):
    """The folder of a table; `uri` and `options` are those for Delta Lake.

    Files that the table does not use are removed once they are `retention_hours` old: until then a writer in another
    process may be about to commit them.
    """

    uri: str
    options: dict[str, str]
    retention_hours: int

    def exists(self) -> bool:
        """Return whether the folder exists; raises TableError if it cannot be listed."""

    def check_empty(self) -> None:
        """Raise TableError if the folder has entries that Delta Lake does not ignore, as it does the lock file."""

    def make(self) -> None:
        """Create the folder; raise TableWriteError if two writers could overwrite each other's entries of the log."""

    def write_rows(self, name: str, rows: pa.Table) -> tuple[int, int]:
        """Write a Parquet file; return its size in bytes and its modification time in ms since 1970."""

    def read_rows(self, name: str) -> pa.Table:
        """Return the rows of a Parquet file."""

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""

    def sync_commit(self, version: int) -> None:
        """Return once a commit would survive a power cut."""

    def names(self) -> set[str]:
        """Return the names of all files in the folder and below, relative to it."""

    def remove_unused(self, used: set[str]) -> None:
        """Remove data files that are not used, before Delta Lake does."""


class FolderStorage:
    """The folder of a table on this machine."""

    retention_hours = 0  # whoever removes files holds the lock of the table

    def __init__(self, path: Path) -> None:
        """Raise TableError if Delta Lake would resolve the name to another folder."""
        self.uri = location.uri_of(path)
        self.options: dict[str, str] = {}
        self._path = path

    def exists(self) -> bool:  # noqa: D102 - see TableStorage, here and below
        return location.exists(self._path)

    def check_empty(self) -> None:  # noqa: D102
        location.check_empty(self._path)

    def make(self) -> None:  # noqa: D102
        self._path.mkdir(parents=True, exist_ok=True)

    def write_rows(self, name: str, rows: pa.Table) -> tuple[int, int]:  # noqa: D102
        delta_files.write_rows(self._path / name, rows)
        status = (self._path / name).stat()
        return status.st_size, status.st_mtime_ns // 10**6

    def read_rows(self, name: str) -> pa.Table:  # noqa: D102
        return pq.ParquetFile(self._path / name).read()

    def remove(self, name: str) -> None:  # noqa: D102
        (self._path / name).unlink(missing_ok=True)

    def sync_commit(self, version: int) -> None:  # noqa: D102
        delta_files.sync_commit(self._path, version)
        if version == 0:
            sync(self._path.parent)

    def names(self) -> set[str]:  # noqa: D102
        return delta_files.names(self._path)

    def remove_unused(self, used: set[str]) -> None:  # noqa: D102
        if links := sorted(path.name for path in self._path.rglob("*") if path.is_symlink() and path.is_dir()):
            raise OSError(f"{listed(links)} leads to another folder, whose files would be removed too: remove the link")
        unused = [path for path in self._path.glob("part-*.parquet") if path.name not in used]
        for path in (*unused, *delta_files.half_written(self._path)):
            path.unlink()  # before Delta Lake does, which needs free disk space


class BucketStorage:
    """The folder of a table in an object store."""

    retention_hours = 168

    def __init__(self, url: Url) -> None:
        self.uri = str(url)
        self.options = store.DELTA_RETRIES | ({"aws_conditional_put": "etag"} if url.scheme == "s3" else {})
        self._url = url
        self._store = store.opened(url)

    def exists(self) -> bool:  # noqa: D102 - see TableStorage, here and below
        try:
            store.probe(self._url)
        except store.StoreError as error:
            raise location.unreadable(self._url, error) from error
        return True  # a folder without objects is an empty one

    def check_empty(self) -> None:  # noqa: D102
        import obstore  # noqa: PLC0415 - in an extra

        with store.requests(self._url):
            level = obstore.list_with_delimiter(self._store)
        names = [*level["common_prefixes"], *(found["path"] for found in level["objects"])]
        if others := sorted(name for name in names if not name.startswith(("_", "."))):
            raise TableError(f"{self._url} is not a table, and holds {listed(others)}: name an empty or a new folder")

    def make(self) -> None:
        """See `TableStorage`: an object is created twice, which a store with conditional writes refuses."""
        import obstore  # noqa: PLC0415 - in an extra
        from obstore.exceptions import AlreadyExistsError, NotSupportedError  # noqa: PLC0415

        name = f"_audiomnist-probe-{uuid4()}"
        try:
            for _ in range(2):
                obstore.put(store.opened_to_probe(self._url), name, b"", mode="create")
        except AlreadyExistsError:
            return
        except NotSupportedError:
            pass
        except store.errors() as error:
            if not store.is_unsupported(error):
                raise store.StoreError(store.reason(error, self._url.scheme)) from error
        finally:
            self.remove(name)
        raise TableWriteError(
            f"{self._url} cannot be a table: the store has no conditional writes (If-None-Match), without which two "
            "runs could overwrite each other's rows. Use another store, or a folder"
        )

    def write_rows(self, name: str, rows: pa.Table) -> tuple[int, int]:  # noqa: D102
        import obstore  # noqa: PLC0415 - in an extra

        buffer = pa.BufferOutputStream()
        delta_files.write_parquet(rows, buffer)
        content = buffer.getvalue()
        with store.requests(self._url):
            obstore.put(self._store, name, content.to_pybytes())
            modified = obstore.head(self._store, name)["last_modified"]
        return content.size, int(modified.timestamp() * 1000)

    def read_rows(self, name: str) -> pa.Table:  # noqa: D102
        import obstore  # noqa: PLC0415 - in an extra

        with store.requests(self._url):
            content = obstore.get(self._store, name).bytes().to_bytes()
        return pq.ParquetFile(pa.BufferReader(content)).read()

    def remove(self, name: str) -> None:  # noqa: D102
        import obstore  # noqa: PLC0415 - in an extra

        with store.requests(self._url):
            obstore.delete(self._store, name)

    def sync_commit(self, version: int) -> None:  # noqa: D102 - an object that was put is durable
        pass

    def names(self) -> set[str]:  # noqa: D102
        import obstore  # noqa: PLC0415 - in an extra

        with store.requests(self._url):
            return {found["path"] for page in obstore.list(self._store) for found in page}

    def remove_unused(self, used: set[str]) -> None:  # noqa: D102 - Delta Lake does
        pass


def storage_of(place: Place) -> TableStorage:
    """Return the storage of a table; raises TableError if the place cannot be a table's."""
    return FolderStorage(place) if isinstance(place, Path) else BucketStorage(place)

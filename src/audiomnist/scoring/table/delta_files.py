"""Files of a Delta Lake table: syncing them to disk, and finding what a crash left.

An entry of the log is a file of JSON lines, one per action; an `add` has the path of a data file relative to the table.
A partly written file has its final name with `#` and a number appended, which readers ignore.
"""

import json
from pathlib import Path
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq

from audiomnist.core.atomic import sync

LOG = "_delta_log"

_ROW_GROUP_ROWS = 16_384


def write_parquet(rows: pa.Table, target: Path | pa.BufferOutputStream) -> None:
    """Write rows as Parquet, in row groups that a reader can hold in memory."""
    pq.write_table(rows, target, compression="zstd", row_group_size=_ROW_GROUP_ROWS)


def write_rows(path: Path, rows: pa.Table) -> None:
    """Write rows to a Parquet file and sync it to disk; an OSError leaves no file."""
    try:
        write_parquet(rows, path.absolute())  # with a colon, a relative one is taken for a URL
        sync(path)
    except OSError:
        path.unlink(missing_ok=True)
        raise


def sync_commit(table: Path, version: int) -> None:
    """Sync a commit to disk: its data files, its log entry, its checkpoint, and the folders."""
    log = table / LOG
    entry = log / f"{version:020}.json"
    actions = map(json.loads, entry.read_bytes().splitlines())
    data = [table / unquote(action["add"]["path"]) for action in actions if "add" in action]
    for path in (*data, entry, *log.glob(f"{version:020}.checkpoint*"), log / "_last_checkpoint"):
        if path.exists():
            sync(path)
    sync(table)
    sync(log)


def half_written(table: Path) -> list[Path]:
    """Return the files that Delta Lake was writing when it was killed."""
    return sorted(path for folder in (table, table / LOG) for path in folder.glob("*#*") if path.is_file())


def names(table: Path) -> set[str]:
    """Return the names of all files in the folder and below, relative to it."""
    return {str(path.relative_to(table)) for path in table.rglob("*") if path.is_file()}

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


def write_rows(path: Path, rows: pa.Table) -> None:
    """Write rows to a Parquet file and sync it to disk; an OSError leaves no file."""
    try:
        pq.write_table(rows, path.absolute(), compression="zstd")  # with a colon, a relative one is taken for a URL
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

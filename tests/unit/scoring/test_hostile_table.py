"""A table whose log names files elsewhere: nothing outside of its folder is removed."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable

from audiomnist.scoring.table.table import Table

PATHS: dict[str, Callable[[Path], str]] = {
    "relative": lambda victim: f"../{victim.name}",
    "escaped": lambda victim: f"%2e%2e/{victim.name}",
    "absolute": str,
    "a URL": Path.as_uri,
}


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    """A file beside the table, with the name of a data file."""
    path = tmp_path / "part-victim.parquet"
    path.write_bytes(b"a recording of somebody else")
    return path


def add_entry(table: Table, action: dict[str, Any]) -> None:
    """Add an entry to the log, as anybody can who may write the folder."""
    version = DeltaTable(table.path).version() + 1
    (table.path / "_delta_log" / f"{version:020}.json").write_text(json.dumps(action) + "\n", encoding="utf-8")


@pytest.mark.parametrize("spelling", PATHS)
def test_vacuum_removes_nothing_elsewhere(tmp_path: Path, victim: Path, spelling: str) -> None:
    """Whether the log says that the file is in use, or that it was removed long ago."""
    table = Table.create(tmp_path / "table")
    path = PATHS[spelling](victim)
    added = {"path": path, "partitionValues": {}, "size": 28, "modificationTime": 1, "dataChange": True}
    add_entry(table, {"add": added})
    Table.open(table.path).vacuum()
    assert victim.exists()
    add_entry(table, {"remove": {"path": path, "deletionTimestamp": 1, "dataChange": True}})
    Table.open(table.path).vacuum()
    assert victim.exists()


def test_vacuum_removes_a_link_and_not_the_file_that_it_leads_to(tmp_path: Path, victim: Path) -> None:
    """One with the name of a data file that is not in use."""
    table = Table.create(tmp_path / "table")
    link = table.path / "part-link.parquet"
    link.symlink_to(victim)
    Table.open(table.path).vacuum()
    assert victim.exists()
    assert not link.is_symlink()

"""A table whose log names files elsewhere: nothing outside of its folder is removed."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable

from audiomnist.scoring.table.location import TableWriteError
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


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of an empty table."""
    Table.create(tmp_path / "table")
    return tmp_path / "table"


def add_entry(folder: Path, action: dict[str, Any]) -> None:
    """Add an entry to the log, as anybody can who may write the folder."""
    version = DeltaTable(folder).version() + 1
    (folder / "_delta_log" / f"{version:020}.json").write_text(json.dumps(action) + "\n", encoding="utf-8")


@pytest.mark.parametrize("spelling", PATHS)
def test_vacuum_removes_nothing_elsewhere(folder: Path, victim: Path, spelling: str) -> None:
    """Whether the log says that the file is in use, or that it was removed long ago."""
    path = PATHS[spelling](victim)
    added = {"path": path, "partitionValues": {}, "size": 28, "modificationTime": 1, "dataChange": True}
    add_entry(folder, {"add": added})
    Table.open(folder).vacuum()
    assert victim.exists()
    add_entry(folder, {"remove": {"path": path, "deletionTimestamp": 1, "dataChange": True}})
    Table.open(folder).vacuum()
    assert victim.exists()


def test_vacuum_removes_a_link_and_not_the_file_that_it_leads_to(folder: Path, victim: Path) -> None:
    """One with the name of a data file that is not in use."""
    link = folder / "part-link.parquet"
    link.symlink_to(victim)
    Table.open(folder).vacuum()
    assert victim.exists()
    assert not link.is_symlink()


def test_vacuum_removes_nothing_where_a_link_leads_to_another_folder(folder: Path, tmp_path: Path) -> None:
    """Delta Lake would follow it; the error names it."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "part-other.parquet").touch()
    (folder / "more").symlink_to(elsewhere)
    with pytest.raises(TableWriteError, match="more leads to another folder"):
        Table.open(folder).vacuum()
    assert (elsewhere / "part-other.parquet").exists()

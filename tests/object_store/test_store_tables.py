"""The commands `audiomnist table` on a table in an object store."""

import json
import time
from pathlib import Path

import pytest
from object_stores import Bucket
from runs import audiomnist

from audiomnist.scoring.table.table import Table
from audiomnist.storage.url import place_of


@pytest.fixture
def table(inbox: Bucket, bundle: Path) -> str:
    """The table of ten sounds and two files that are none."""
    for number in range(2):
        inbox.put(f"inbox/bad/{number}.wav", b"no sound %d" % number)
    url = inbox.url("a/table")
    assert audiomnist("score", inbox.url("inbox"), "--into", url, "--model", bundle, "--workers", "1").status == 0
    return url


def test_show_history_export_and_verify(table: str, tmp_path: Path) -> None:
    """As those of a table on this machine."""
    shown = audiomnist("table", "show", table, "--status", "rejected")
    assert (shown.status, shown.out.splitlines()[-1]) == (0, "2 of 2 rows")
    (line,) = audiomnist("table", "history", table, "--json").out.splitlines()
    summary = json.loads(line)["summary"]
    assert (summary["found"], summary["scored"], summary["rejected"]) == (12, 10, 2)
    assert summary["inbox"].startswith("s3://")
    exported = audiomnist("table", "export", table, "--to", tmp_path / "rows.csv")
    assert exported.status == 0
    assert len((tmp_path / "rows.csv").read_text(encoding="utf-8").splitlines()) == 13
    verified = audiomnist("table", "verify", table)
    assert (verified.status, verified.out) == (0, "12 rows, and every rule holds\n")


def test_commands_that_need_a_folder_say_so(table: str, tmp_path: Path) -> None:
    """The report."""
    ended = audiomnist("table", "report", table, "--to", tmp_path / "page.html")
    assert ended.status == 2
    assert "is in an object store" in " ".join(ended.err.split())


@pytest.mark.parametrize("command", ["show", "history", "verify", "vacuum"])
def test_where_there_is_no_table(command: str, bucket: Bucket) -> None:
    """Status 1 and a sentence."""
    ended = audiomnist("table", command, bucket.url("none"))
    assert ended.status == 1
    assert ended.err.count("\n") == 1
    assert bucket.url("none") in ended.err


def test_vacuum_keeps_what_is_younger_than_a_week(table: str, inbox: Bucket) -> None:
    """A writer elsewhere may be about to commit it."""
    inbox.put("a/table/part-left-over.parquet", b"x")
    before = inbox.keys("a/table")
    ended = audiomnist("table", "vacuum", table)
    assert (ended.status, ended.out) == (0, "0 files removed\n")
    assert set(before) <= set(inbox.keys("a/table"))
    assert audiomnist("table", "verify", table).status == 0


def test_vacuum_removes_what_is_older(table: str, inbox: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    """And says what; the rows stay."""
    inbox.put("a/table/part-left-over.parquet", b"x")
    opened = Table.open(place_of(table))
    monkeypatch.setattr(opened._storage, "retention_hours", 0)  # noqa: SLF001 - a week cannot be waited for
    assert opened.vacuum() == ["part-left-over.parquet"]
    assert "a/table/part-left-over.parquet" not in inbox.keys("a/table")
    assert sum(map(len, opened.scan())) == 12


def test_times_in_the_log_are_those_of_the_objects(table: str) -> None:
    """By which Delta Lake tells how old a file is."""
    actions = Table.open(place_of(table))._delta.get_add_actions()  # noqa: SLF001 - no command shows them
    (modified_ms,) = actions.column("modification_time").to_pylist()
    assert abs(time.time() - modified_ms / 1000) < 600

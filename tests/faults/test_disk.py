"""A full disk stops a run with a sentence; once there is space, one more run completes the table."""

import re
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from score_process import LET_DOWN, Ended, Scorer
from small_disk import SmallDisk, mounted
from table_files import assert_same, commits, rows, unused

ROWS = 60
KIB = 1024


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """A disk that can be filled."""
    folder = tmp_path / "disk"
    folder.mkdir()
    with mounted(folder) as small:
        if small is None:
            pytest.skip("nothing can be mounted here; the disk is full only where the tests beside this one say so")
        yield small


def assert_reported(ended: Ended, table: Path) -> int:
    """Check that a run found the disk full and reported how much is in the table, which is whole; return how much."""
    assert (ended.status, ended.out) == (6, ""), ended
    assert "No space left on device" in ended.err
    assert "Traceback" not in ended.err
    if commits(table) < 0:
        return 0
    committed = len(rows(table))
    assert f"(this run has committed {committed} rows)" in ended.err
    assert unused(table) == set()
    return committed


@pytest.mark.parametrize(
    "free_kib", [pytest.param(kib, marks=[] if kib == 64 else pytest.mark.long) for kib in range(0, 128, 16)]
)
def test_a_table_on_a_full_disk(
    free_kib: int, disk: SmallDisk, inbox: Path, bundle: Path, undisturbed: pa.Table, tmp_path: Path
) -> None:
    """Wherever the space ends: before there is a table, in a batch of rows, or in the entry that names it."""
    scorer = Scorer(inbox, disk.folder / "table", bundle, launcher=disk.launcher)
    disk.leave(free_kib * KIB)
    committed = assert_reported(scorer.ended(), disk.copied("table", tmp_path / "full"))
    assert 0 < committed < ROWS or free_kib != 64
    disk.make_space()
    assert scorer.summary().unchanged == committed
    assert_same(disk.copied("table", tmp_path / "with space"), undisturbed)


@pytest.mark.parametrize(
    ("step", "committed"),
    [
        pytest.param("creation", 0, marks=pytest.mark.long),
        pytest.param("rows", 20, marks=pytest.mark.long),
        ("entry", 20),
    ],
)
def test_a_table_on_a_disk_that_says_it_is_full(
    step: str, committed: int, inbox: Path, bundle: Path, undisturbed: pa.Table, tmp_path: Path
) -> None:
    """The same where nothing can be mounted, and for steps that need hardly any space."""
    scorer = Scorer(inbox, tmp_path / "table", bundle)
    full = replace(scorer, launcher=(*LET_DOWN, step, "full", "1" if step == "creation" else "3"))
    assert assert_reported(full.ended(), scorer.table) == committed
    assert scorer.summary().unchanged == committed
    assert_same(scorer.table, undisturbed)


@pytest.mark.long
def test_a_disk_without_space_for_compaction(inbox: Path, bundle: Path, undisturbed: pa.Table, tmp_path: Path) -> None:
    """All rows are in the table, and the run reports it; the next one puts the files together."""
    scorer = Scorer(inbox, tmp_path / "table", bundle, batch_size=1)
    full = replace(scorer, launcher=(*LET_DOWN, "compaction", "full", "1"))
    assert assert_reported(full.ended(), scorer.table) == ROWS
    assert commits(scorer.table) == ROWS
    assert scorer.summary().unchanged == ROWS
    assert commits(scorer.table) == ROWS + 2
    assert_same(scorer.table, undisturbed)


@pytest.mark.long
@pytest.mark.parametrize("left_over", ["part-orphan.parquet", "_delta_log/00000000000000000099.json#1"])
def test_vacuum_makes_room_on_a_full_disk(disk: SmallDisk, inbox: Path, bundle: Path, left_over: str) -> None:
    """What a crash left is removed first, because Delta Lake needs disk space to log its removals."""
    scorer = Scorer(inbox, disk.folder / "table", bundle, launcher=disk.launcher)
    assert scorer.summary().found == ROWS + 1
    disk.write(f"table/{left_over}", 512 * KIB)
    disk.leave(0)
    vacuum = subprocess.run(
        [*disk.launcher, "table", "vacuum", str(scorer.table)], capture_output=True, check=False, text=True
    )
    assert (vacuum.returncode, vacuum.stderr) == (0, "")
    assert vacuum.stdout == f"{left_over}\n1 files removed\n"


@pytest.mark.long
def test_a_csv_on_a_full_disk(
    disk: SmallDisk, inbox: Path, bundle: Path, undisturbed: pa.Table, tmp_path: Path
) -> None:
    """There is no part of it, and the table, which is on another disk, has the rows."""
    disk.leave(8 * KIB)
    scorer = Scorer(inbox, tmp_path / "table", bundle, launcher=disk.launcher)
    assert_no_csv(scorer, disk.folder / "rows.csv")
    assert disk.names() == []
    assert_same(scorer.table, undisturbed)


@pytest.mark.long
def test_a_csv_on_a_disk_that_says_it_is_full(inbox: Path, bundle: Path, undisturbed: pa.Table, tmp_path: Path) -> None:
    """The same where nothing can be mounted."""
    scorer = Scorer(inbox, tmp_path / "table", bundle, launcher=(*LET_DOWN, "output", "full", "1"))
    assert_no_csv(scorer, tmp_path / "output" / "rows.csv")
    assert list((tmp_path / "output").iterdir()) == []
    assert_same(scorer.table, undisturbed)


def assert_no_csv(scorer: Scorer, csv: Path) -> None:
    """Check that a run reports that it cannot write its rows to a file."""
    ended = scorer.ended("--csv", str(csv))
    assert ended.status == 6
    assert re.search(rf"{csv} cannot be written: .*No space left on device", ended.err)
    assert "Traceback" not in ended.err

"""What a user may not write or read stops a run, or puts a file off, until the permission is given."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import inbox_files
import pyarrow as pa
import pytest
from runs import tree
from score_process import AS_NOBODY, Ended, Scorer, end_of, in_time, stopped_between
from table_files import assert_same, rows

SOUNDS, MANY = 20, 600


@pytest.fixture
def public(bundle: Path) -> Iterator[Path]:
    """A folder that every user may enter, with a bundle, an inbox and a folder for tables in it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number in range(SOUNDS):
            content = inbox_files.encoded(inbox_files.tone(number % 10, seed=number))
            inbox_files.put(folder / "inbox", f"{number % 2}/{number:02}.wav", content)
        shutil.copytree(bundle, folder / "bundle")
        (folder / "tables").mkdir()
        permit(folder, 0o777)
        yield folder
        permit(folder, 0o777)


@pytest.fixture
def scorer(public: Path) -> Scorer:
    """How a user who is not root scores the inbox."""
    return Scorer(public / "inbox", public / "tables" / "table", public / "bundle", launcher=AS_NOBODY)


def permit(folder: Path, mode: int) -> None:
    """Give all users these permissions for a folder and what is in it."""
    folder.chmod(mode | 0o700)
    for path in folder.iterdir():
        if path.is_dir():
            permit(path, mode)
        else:
            path.chmod(mode)
    folder.chmod(mode)


@pytest.mark.long
def test_a_table_that_may_only_be_read(scorer: Scorer) -> None:
    """The run ends with status 6 and changes nothing."""
    assert scorer.summary().scored == SOUNDS
    permit(scorer.table, 0o555)
    before = tree(scorer.table)
    ended = scorer.ended()
    assert (ended.status, ended.out) == (6, "")
    assert f"{scorer.table} cannot be written: " in ended.err
    assert "ermission denied" in ended.err
    assert tree(scorer.table) == before


@pytest.mark.long
def test_a_table_that_may_not_be_made(scorer: Scorer) -> None:
    """The run ends with status 6, and there is none."""
    scorer.table.parent.chmod(0o555)
    ended = scorer.ended()
    assert (ended.status, ended.out) == (6, "")
    assert f"{scorer.table} cannot be written: " in ended.err
    assert list(scorer.table.parent.iterdir()) == []


def let_down(scorer: Scorer) -> tuple[Scorer, Ended]:
    """Take from a run, in the middle of its work, the permission to write its table."""
    with scorer.started() as process:
        with stopped_between(scorer, process, 3, MANY // scorer.batch_size - 2):
            permit(scorer.table, 0o555)
        return scorer, end_of(process)


@pytest.mark.long
def test_a_table_that_may_no_longer_be_written(scorer: Scorer, many: Path, undisturbed_many: pa.Table) -> None:
    """The run ends with status 6 and reports what it has committed; with the permission it goes on."""
    shutil.rmtree(scorer.inbox)
    shutil.copytree(many, scorer.inbox)
    permit(scorer.inbox, 0o777)
    fresh, ended = in_time(let_down, scorer)
    assert (ended.status, ended.out) == (6, "")
    committed = len(rows(fresh.table))
    assert 0 < committed < MANY
    assert f"(this run has committed {committed} rows)" in ended.err
    permit(fresh.table, 0o777)
    assert fresh.summary().scored == MANY - committed
    assert_same(fresh.table, undisturbed_many)


@pytest.mark.long
def test_an_inbox_that_may_not_be_read(scorer: Scorer) -> None:
    """The run ends with status 2, and there is no table."""
    scorer.inbox.chmod(0o000)
    ended = scorer.ended()
    assert (ended.status, ended.out) == (2, "")
    assert "Traceback" not in ended.err
    assert not scorer.table.exists()


@pytest.mark.long
def test_a_bundle_that_may_not_be_read(scorer: Scorer) -> None:
    """The run ends with status 4, and there is no table."""
    scorer.bundle.chmod(0o000)
    ended = scorer.ended()
    assert (ended.status, ended.out) == (4, "")
    assert "ermission denied" in ended.err
    assert not scorer.table.exists()


def test_a_table_that_may_not_be_read(scorer: Scorer) -> None:
    """The run ends with status 6."""
    scorer.table.mkdir(mode=0o000)
    ended = scorer.ended()
    assert (ended.status, ended.out) == (6, "")
    assert "ermission denied" in ended.err


def test_a_file_and_a_folder_that_may_not_be_read(scorer: Scorer) -> None:
    """They are put off, and the next run takes them once it may."""
    scorer.inbox.joinpath("0").chmod(0o000)
    scorer.inbox.joinpath("1/07.wav").chmod(0o000)
    summary = scorer.summary(status=7)
    assert (summary.found, summary.scored, summary.deferred) == (11, 9, 2)
    assert summary.by_deferred_reason == {"no_permission": 2}
    assert {file.path for file in summary.deferred_files} == {"0", "1/07.wav"}
    assert set(rows(scorer.table)["path"].to_pylist()).isdisjoint({"0", "1/07.wav"})
    permit(scorer.inbox, 0o777)
    after = scorer.summary()
    assert (after.found, after.scored, after.unchanged) == (SOUNDS, 11, 9)
    assert len(rows(scorer.table)) == SOUNDS

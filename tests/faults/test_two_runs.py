"""Two runs at once: one holds the table, the other reports it or waits."""

import re
import shutil
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import pytest
from score_process import (
    TRIALS,
    Process,
    Scorer,
    TooLateError,
    end_of,
    go_on,
    holds,
    killed,
    stopped_between,
    summary_of,
    wait_until,
)
from table_files import assert_same, rows

from audiomnist.scoring.table.table import Table

FILES = 600


@pytest.fixture
def scorer(many: Path, bundle: Path, tmp_path: Path) -> Scorer:
    """How six hundred sounds are scored."""
    return Scorer(many, tmp_path / "table", bundle, batch_size=15)


@pytest.fixture
def first(scorer: Scorer) -> Iterator[Process]:
    """A run that was stopped after its first commits, and before its last."""
    for _ in range(TRIALS):
        with scorer.started("--json") as process, suppress(TooLateError):
            with stopped_between(scorer, process, 1, FILES // scorer.batch_size - 2):
                yield process
            return
        shutil.rmtree(scorer.table)
    pytest.fail(f"each of {TRIALS} runs was stopped too late")


def wait_for_waiting(scorer: Scorer, process: Process) -> None:
    """Wait until a run has come as far as the lock."""
    wait_until(lambda: holds(process.pid, scorer.table / "_audiomnist.lock"))
    assert process.poll() is None


def test_a_second_run_names_the_first_and_ends(scorer: Scorer, first: Process, undisturbed_many: pa.Table) -> None:
    """With status 5, and without a row; a third waits, and completes the table when the first is killed."""
    ended = scorer.ended()
    assert (ended.status, ended.out) == (5, "")
    assert re.search(rf"another run \(pid {first.pid} on .+, since .+\) holds the table .*score --wait", ended.err)
    with scorer.started("--json", "--wait") as third:
        wait_for_waiting(scorer, third)
        assert killed(first).status == -signal.SIGKILL
        committed = len(rows(scorer.table))
        summary = summary_of(end_of(third), 0)
    assert 0 < committed < FILES
    assert (summary.unchanged, summary.scored) == (committed, FILES - committed)
    assert_same(scorer.table, undisturbed_many)
    assert Table.open(scorer.table).runs()[0].run_id == summary.run_id


@pytest.mark.long
def test_the_lock_of_a_killed_run_is_taken_over(scorer: Scorer, first: Process, undisturbed_many: pa.Table) -> None:
    """Without --wait, though its file names a run."""
    assert killed(first).status == -signal.SIGKILL
    assert f'"pid": {first.pid}' in (scorer.table / "_audiomnist.lock").read_text(encoding="utf-8")
    assert scorer.summary().found == FILES
    assert_same(scorer.table, undisturbed_many)


@pytest.mark.long
def test_a_run_that_waits_finds_what_the_first_has_done(
    scorer: Scorer, first: Process, undisturbed_many: pa.Table
) -> None:
    """Each file is scored by one of them."""
    with scorer.started("--json", "--wait") as second:
        wait_for_waiting(scorer, second)
        go_on(first)
        assert summary_of(end_of(first), 0).scored == FILES
        summary = summary_of(end_of(second), 0)
    assert (summary.unchanged, summary.scored) == (FILES, 0)
    assert_same(scorer.table, undisturbed_many)
    assert len(Table.open(scorer.table).runs()) == 2


@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_waits_can_be_interrupted(number: signal.Signals, scorer: Scorer, first: Process) -> None:
    """The first goes on."""
    with scorer.started("--wait") as second:
        wait_for_waiting(scorer, second)
        second.send_signal(number)
        assert end_of(second).status == 130
    go_on(first)
    assert summary_of(end_of(first), 0).scored == FILES

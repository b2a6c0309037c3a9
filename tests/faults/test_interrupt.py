"""A run that is asked to end commits what is done, and reports it."""

import os
import random
import signal
import subprocess
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import in_small_chunks
import pyarrow as pa
import pytest
from score_process import (
    IN_SMALL_CHUNKS,
    Process,
    Scorer,
    TooLateError,
    end_of,
    in_time,
    stopped,
    stopped_between,
    summary_of,
    wait_for_the_last,
    wait_for_workers,
    wait_until,
)
from table_files import assert_same, commits, rows

from audiomnist.scoring.table.table import Table

BATCH = 15
FILES = 600
# A process has one chunk in hand while another one waits for it.
TAKEN = 2 * in_small_chunks.FILES
# A run that is held with so many commits, and goes on, makes one more at most before it receives a signal:
IN_THE_FIRST_CHUNK = in_small_chunks.FILES // BATCH - 2
BEFORE_THE_LAST_COMMIT = FILES // BATCH - 2


@pytest.fixture
def scorer(many: Path, bundle: Path, tmp_path: Path) -> Scorer:
    """How six hundred sounds are scored."""
    return Scorer(many, tmp_path / "table", bundle, BATCH)


@pytest.fixture
def pair(many: Path, bundle: Path, tmp_path: Path) -> Scorer:
    """The same, by two processes beside the first."""
    return Scorer(many, tmp_path / "table", bundle, BATCH, workers=2)


def wait_for_commits(scorer: Scorer, process: Process, least: int) -> None:
    """Wait until a run has made so many commits, or has come to its end."""
    wait_until(lambda: commits(scorer.table) >= least or process.poll() is not None)


def assert_interrupted(scorer: Scorer, process: Process) -> int:
    """Check that a run was interrupted, and that its summary and the table agree; return how many rows there are."""
    summary = summary_of(end_of(process), 130)
    assert summary.interrupted
    assert (summary.rejected, summary.deferred) == (0, 0)
    (run,) = Table.open(scorer.table).runs()
    assert run.summary is not None
    assert run.summary["interrupted"]
    assert len(rows(scorer.table)) == summary.scored
    wait_for_the_last(process)
    return summary.scored


def assert_completed(scorer: Scorer, committed: int, expected: pa.Table) -> None:
    """Check that the next run completes the table."""
    summary = scorer.summary()
    assert (summary.unchanged, summary.scored, summary.interrupted) == (committed, len(expected) - committed, False)
    assert_same(scorer.table, expected)


@pytest.mark.long
@pytest.mark.parametrize(
    "number",
    [
        signal.SIGINT,
        signal.SIGTERM,
        signal.SIGHUP,
    ],
)
def test_a_signal_ends_a_run_after_what_it_has_in_hand(
    number: signal.Signals, scorer: Scorer, undisturbed_many: pa.Table
) -> None:
    """No more files are taken than it had taken by then."""

    def interrupted(scorer: Scorer) -> tuple[Scorer, int]:
        with scorer.started("--json") as process:
            with stopped_between(scorer, process, 1, IN_THE_FIRST_CHUNK):
                process.send_signal(number)
            return scorer, assert_interrupted(scorer, process)

    fresh, committed = in_time(interrupted, replace(scorer, launcher=IN_SMALL_CHUNKS))
    assert committed == TAKEN
    assert_completed(fresh, committed, undisturbed_many)


@pytest.mark.long
def test_a_signal_to_a_run_of_several_processes(pair: Scorer, undisturbed_many: pa.Table) -> None:
    """What the others have in hand is committed too."""

    def interrupted(scorer: Scorer) -> tuple[Scorer, int]:
        with scorer.started("--json") as process:
            with stopped_between(scorer, process, 1, BEFORE_THE_LAST_COMMIT):
                process.send_signal(signal.SIGTERM)
            return scorer, assert_interrupted(scorer, process)

    fresh, committed = in_time(interrupted, pair)
    assert_completed(fresh, committed, undisturbed_many)


@pytest.mark.parametrize("least", [0, pytest.param(20, marks=pytest.mark.long)])
def test_ctrl_c_reaches_all_processes_and_loses_nothing(least: int, pair: Scorer, undisturbed_many: pa.Table) -> None:
    """A terminal sends it to each of them, be they only just starting, in mid-work, or waiting for more."""

    def interrupted(scorer: Scorer) -> tuple[Scorer, int]:
        with scorer.started("--json") as process:
            wait_for_workers(process, scorer.workers)
            with stopped_between(scorer, process, least, BEFORE_THE_LAST_COMMIT):
                os.killpg(process.pid, signal.SIGINT)
            return scorer, assert_interrupted(scorer, process)

    fresh, committed = in_time(interrupted, pair)
    assert_completed(fresh, committed, undisturbed_many)


@pytest.mark.long
def test_a_second_signal_ends_a_run_at_once(
    many: Path, bundle: Path, undisturbed_many: pa.Table, tmp_path: Path
) -> None:
    """What it has in hand is left to the next run; what was committed stays."""
    of_the_first_chunk = 512 // 5

    def interrupted(scorer: Scorer) -> Scorer:
        with scorer.started("--json") as process:
            for _ in range(2):
                least = commits(scorer.table) + 2
                with stopped_between(scorer, process, least, of_the_first_chunk - 2):
                    process.send_signal(signal.SIGINT)
            ended = end_of(process)
        assert (ended.status, ended.out) == (130, ""), ended
        return scorer

    scorer = in_time(interrupted, Scorer(many, tmp_path / "table", bundle, batch_size=5))
    assert commits(scorer.table) < of_the_first_chunk
    assert_completed(replace(scorer, batch_size=BATCH), len(rows(scorer.table)), undisturbed_many)


@pytest.mark.long
@pytest.mark.parametrize("count", [1, 2])
def test_two_signals_at_random_instants(
    count: int, many: Path, bundle: Path, undisturbed_many: pa.Table, tmp_path: Path
) -> None:
    """Wherever they fall before its end, no process is left over, and the next run completes the table."""
    signalled = partial(signalled_twice, draw=random.Random(count))
    for trial in range(3):
        scorer = in_time(signalled, Scorer(many, tmp_path / f"{trial}", bundle, BATCH, workers=count))
        assert_completed(scorer, len(rows(scorer.table)), undisturbed_many)


def signalled_twice(scorer: Scorer, draw: random.Random) -> Scorer:
    """Send two signals to a run; raises TooLateError if it had committed its summary before."""
    with scorer.started() as process:
        wait_for_commits(scorer, process, draw.randrange(30))
        for number in (signal.SIGINT, signal.SIGTERM):
            with suppress(subprocess.TimeoutExpired):
                process.wait(draw.uniform(0, 0.05))
            with stopped(process):
                if any(run.summary for run in Table.open(scorer.table).runs()):
                    raise TooLateError
                process.send_signal(number)
        ended = end_of(process)
        wait_for_the_last(process)
    assert ended.status in {0, 130}, ended
    assert "Traceback" not in ended.err
    return scorer

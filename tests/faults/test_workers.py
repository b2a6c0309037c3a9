"""A run that loses a process that labels goes on without it; one whose bundle is exchanged does not."""

import os
import random
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from score_process import (
    Process,
    Scorer,
    TooLateError,
    end_of,
    in_time,
    is_stopped,
    kill,
    labelling,
    stopped_between,
    summary_of,
    wait_for_workers,
    wait_until,
    workers,
)
from table_files import assert_same

from audiomnist.scoring.table.table import Table

FILES = 600
KILLS, TRIALS = 12, 60
# The command, each of whose processes that label holds itself before it has loaded anything.
HESITANT = """
import os, signal
if __name__ == "__mp_main__":
    os.kill(os.getpid(), signal.SIGSTOP)

from audiomnist import cli
if __name__ == "__main__":
    cli.main()
"""


@pytest.fixture
def pair(many: Path, bundle: Path, tmp_path: Path) -> Scorer:
    """How six hundred sounds are scored by two processes."""
    return Scorer(many, tmp_path / "table", bundle, batch_size=15, workers=2)


def test_a_process_that_is_killed_in_mid_work_takes_no_file_with_it(pair: Scorer, undisturbed_many: pa.Table) -> None:
    """Its work is done again, and the run ends as any other."""

    def bereaved(scorer: Scorer) -> Scorer:
        with scorer.started("--json") as process:
            wait_until(lambda: labelling(process) or process.poll() is not None)
            with stopped_between(scorer, process, 0, 0):  # what was labelled first is committed first
                assert kill(labelling(process)) == 1
            assert_complete(process)
        return scorer

    assert_same(in_time(bereaved, pair).table, undisturbed_many)


@pytest.mark.long
def test_processes_that_are_killed_at_random_instants_take_no_file_with_them(
    pair: Scorer, undisturbed_many: pa.Table
) -> None:
    """From their start to the end of the run, one or both; those that are dead by then do not count."""
    draw, kills = random.Random(5), 0
    for trial in range(TRIALS):
        scorer = replace(pair, table=pair.table.with_name(f"{trial}"))
        with scorer.started("--json") as process:
            with suppress(TooLateError):
                wait_for_workers(process, 2)
            with suppress(subprocess.TimeoutExpired):
                process.wait(draw.uniform(0, 2))
            kills += bool(kill(workers(process)[: draw.randint(1, 2)]))
            assert_complete(process)
        assert_same(scorer.table, undisturbed_many)
        if kills == KILLS:
            return
    pytest.fail(f"{kills} of {TRIALS} runs lost a process")


def assert_complete(process: Process) -> None:
    """Check that a run labels every file."""
    summary = summary_of(end_of(process), 0)
    assert (summary.scored, summary.deferred) == (FILES, 0)


def test_a_bundle_that_is_exchanged_while_a_run_begins(
    inbox: Path, bundle: Path, other_bundle: Path, tmp_path: Path
) -> None:
    """The run ends with status 4 before any row is committed."""
    command = tmp_path / "hesitant.py"
    command.write_text(HESITANT, encoding="utf-8")
    launcher = (sys.executable, str(command))
    scorer = Scorer(inbox, tmp_path / "table", tmp_path / "bundle", workers=2, launcher=launcher)
    shutil.copytree(bundle, scorer.bundle)
    with scorer.started() as process:
        (worker,) = wait_until(lambda: [*filter(is_stopped, workers(process))])
        scorer.bundle.rename(tmp_path / "former")
        shutil.copytree(other_bundle, scorer.bundle)
        os.kill(worker, signal.SIGCONT)
        ended = end_of(process)
    assert (ended.status, ended.out) == (4, "")
    assert "Traceback" not in ended.err
    assert Table.open(scorer.table).runs() == []

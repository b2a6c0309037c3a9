"""A closed terminal ends a run, whose output is lost."""

import os
import pty
import signal
import subprocess
from pathlib import Path

import pyarrow as pa
import pytest
from score_process import DEADLINE_S, IN_SMALL_CHUNKS, Scorer, wait_until
from table_files import assert_same, commits, rows

from audiomnist.scoring.table.table import Table

FILES = 600


@pytest.mark.long
def test_a_terminal_that_is_closed_ends_a_run_after_what_it_has_in_hand(
    many: Path, bundle: Path, undisturbed_many: pa.Table, tmp_path: Path
) -> None:
    """With status 6, for want of a log; what was done is committed, and the next run takes up the rest."""
    scorer = Scorer(many, tmp_path / "table", bundle, batch_size=15, launcher=IN_SMALL_CHUNKS)
    ours, its = pty.openpty()
    command = ["setsid", "--ctty", *scorer.command()]
    with subprocess.Popen(command, stdin=its, stdout=its, stderr=its) as process:
        os.close(its)
        wait_until(lambda: commits(scorer.table) >= 1)
        process.send_signal(signal.SIGSTOP)
        assert commits(scorer.table) < FILES // scorer.batch_size
        os.close(ours)
        process.send_signal(signal.SIGCONT)
        assert process.wait(DEADLINE_S) == 6
    (run,) = Table.open(scorer.table).runs()
    assert run.summary is not None
    assert run.summary["interrupted"]
    committed = len(rows(scorer.table))
    assert run.summary["scored"] == committed < FILES
    assert scorer.summary().unchanged == committed
    assert_same(scorer.table, undisturbed_many)

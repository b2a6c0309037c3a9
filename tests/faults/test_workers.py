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

import crashing_reader
import pyarrow as pa
import pytest
from inbox_files import put
from score_process import (
    Process,
    Scorer,
    TooLateError,
    end_of,
    is_stopped,
    kill,
    summary_of,
    wait_for_workers,
    wait_until,
    workers,
)
from table_files import assert_same

from audiomnist.scoring.table.table import Table

FILES = 600
KILLS, TRIALS = 4, 20
# The command, each of whose workers stops itself before it has loaded anything.
HESITANT = """
import os, signal
if __name__ == "__mp_main__":
    os.kill(os.getpid(), signal.SIGSTOP)

from audiomnist.cli import main
if __name__ == "__main__":
    main.main()
"""
# The command, the first of whose workers stops itself during a chunk, with fifty files read.
HALTING = """
import os, signal
from contextlib import suppress
from itertools import count
from pathlib import Path

from audiomnist.cli import main
from audiomnist.scoring.inbox import discover

def halting(*arguments):
    if next(calls) == 50:
        with suppress(FileExistsError):
            halted.touch(exist_ok=False)  # by one of the workers only
            os.kill(os.getpid(), signal.SIGSTOP)
    return read(*arguments)

if __name__ == "__mp_main__":
    read, calls, halted = discover.read, count(), Path(__file__).with_name("halted")
    discover.read = halting
if __name__ == "__main__":
    main.main()
"""


@pytest.fixture
def pair(many: Path, bundle: Path, tmp_path: Path) -> Scorer:
    """How six hundred sounds are scored by two processes."""
    return Scorer(many, tmp_path / "table", bundle, batch_size=15, workers=2)


@pytest.mark.long
def test_a_process_that_is_killed_in_mid_work_takes_no_file_with_it(
    pair: Scorer, undisturbed_many: pa.Table, tmp_path: Path
) -> None:
    """Its work is done again, and the run ends as any other."""
    scorer = replace(pair, launcher=launcher(tmp_path / "halting.py", HALTING))
    with scorer.started("--json") as process:
        kill(wait_until(lambda: [*filter(is_stopped, workers(process))]))
        assert_complete(process)
    assert_same(scorer.table, undisturbed_many)


@pytest.mark.long
def test_files_that_end_their_process_take_no_other_with_them(
    inbox: Path, bundle: Path, undisturbed: pa.Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A crash in libsndfile and SIGKILL, in one chunk with sixty others: two files wait for somebody to act."""
    scorer = Scorer(Path(shutil.copytree(inbox, tmp_path / "inbox")), tmp_path / "table", bundle)
    put(scorer.inbox, "2/crash.flac", b"crash")
    put(scorer.inbox, "1/kill.flac", b"kill")
    libraries = os.pathsep.join([str(crashing_reader.put(tmp_path / "deadly")), os.environ.get("PYTHONPATH", "")])
    monkeypatch.setenv("PYTHONPATH", libraries)
    summary = scorer.summary(status=7)
    assert summary.by_deferred_reason == {"worker_died": 2, "unfinished_name": 1}
    assert {file.path for file in summary.deferred_files} > {"1/kill.flac", "2/crash.flac"}
    assert_same(scorer.table, undisturbed)


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


def launcher(command: Path, program: str) -> tuple[str, ...]:
    """Write a program into a file; return the words that run it."""
    command.write_text(program, encoding="utf-8")
    return (sys.executable, str(command))


def assert_complete(process: Process) -> None:
    """Check that a run labels every file."""
    summary = summary_of(end_of(process), 0)
    assert (summary.scored, summary.deferred) == (FILES, 0)


def test_a_bundle_that_is_exchanged_while_a_run_begins(
    inbox: Path, bundle: Path, other_bundle: Path, tmp_path: Path
) -> None:
    """The run ends with status 4 before any row is committed."""
    hesitant = launcher(tmp_path / "hesitant.py", HESITANT)
    scorer = Scorer(inbox, tmp_path / "table", tmp_path / "bundle", workers=2, launcher=hesitant)
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

"""A run that loses a process that labels goes on without it; one whose bundle is exchanged does not."""

import random
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import pytest
from remains import assert_same
from scorer import Scorer, end_of, kill, labelling, summary_of, wait_for_workers, wait_until, workers

from audiomnist.scoring.table import Table

FILES = 600


@pytest.fixture
def pair(many: Path, bundle: Path, tmp_path: Path) -> Scorer:
    """How six hundred sounds are scored by two processes."""
    return Scorer(many, tmp_path / "table", bundle, batch_size=15, workers=2)


def test_a_process_that_is_killed_in_mid_work_takes_no_file_with_it(pair: Scorer, undisturbed_many: pa.Table) -> None:
    """Its work is done again, and the run ends as any other."""
    with pair.started("--json") as process:
        wait_until(lambda: bool(labelling(process)))
        kill(labelling(process))
        summary = summary_of(end_of(process), 0)
    assert (summary.scored, summary.deferred) == (FILES, 0)
    assert_same(pair.table, undisturbed_many)


@pytest.mark.long
def test_processes_that_are_killed_at_random_instants_take_no_file_with_them(
    many: Path, bundle: Path, undisturbed_many: pa.Table, tmp_path: Path
) -> None:
    """From their start to the end of the run, one or both."""
    draw = random.Random(5)
    for trial in range(15):
        scorer = Scorer(many, tmp_path / f"{trial}", bundle, batch_size=15, workers=2)
        with scorer.started("--json") as process:
            wait_for_workers(process, 2)
            with suppress(subprocess.TimeoutExpired):
                process.wait(draw.uniform(0, 2))
            kill(workers(process)[: draw.randint(1, 2)])
            summary = summary_of(end_of(process), 0)
        assert (summary.scored, summary.deferred) == (FILES, 0)
        assert_same(scorer.table, undisturbed_many)


def test_a_bundle_that_is_exchanged_while_a_run_begins(
    inbox: Path, bundle: Path, other_bundle: Path, tmp_path: Path
) -> None:
    """The run ends with status 4 before any row is committed."""
    scorer = Scorer(inbox, tmp_path / "table", tmp_path / "bundle", workers=2)
    shutil.copytree(bundle, scorer.bundle)
    with scorer.started() as process:
        wait_for_workers(process)
        scorer.bundle.rename(tmp_path / "former")
        shutil.copytree(other_bundle, scorer.bundle)
        ended = end_of(process)
    assert (ended.status, ended.out) == (4, "")
    assert "Traceback" not in ended.err
    assert Table.open(scorer.table).runs() == []

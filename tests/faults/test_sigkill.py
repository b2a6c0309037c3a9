"""A killed run loses nothing: the next run does the rest, wherever it was killed."""

import random
import signal
import subprocess
import tempfile
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import pyarrow as pa
import pytest
from score_process import LET_DOWN, Scorer, TooLateError, in_time, killed, wait_for_the_last, wait_until
from table_files import assert_same, commits, create_former, rows, unused

from audiomnist.scoring.table.table import Table

ROWS, BATCH = 60, 10
MANY_ROWS, MANY_BATCH = 600, 15
COMMITS = ROWS // BATCH
MANY_COMMITS = MANY_ROWS // MANY_BATCH

# Step, moment and call; how many commits there are then, and how many files that no reader looks at.
Case = tuple[str, str, int, int, int]


def cases_of_commit(number: int) -> list[Case]:
    """Return what can happen at a commit, the last of which holds the summary."""
    before, after = number - 1, number
    return [
        ("rows", "before", number, before, 0),
        ("rows", "within", number, before, 1),
        ("rows", "after", number, before, 1),
        ("entry", "before", number, before, 1),
        ("entry", "within", number, before, 2),
        ("entry", "after", number, after, 0),
        ("sync", "before", number + 1, after, 0),
        ("sync", "after", number + 1, after, 0),
    ]


CREATION: list[Case] = [
    ("creation", "before", 1, -1, 0),
    ("creation", "within", 1, -1, 1),
    ("creation", "after", 1, 0, 0),
    ("sync", "after", 1, 0, 0),
]
EACH = [*CREATION, *(case for number in range(1, COMMITS + 1) for case in cases_of_commit(number))]
# Each where the one before left off.
CHAIN: list[Case] = [
    ("rows", "before", 1, 0, 0),
    ("rows", "within", 2, 1, 1),
    ("entry", "within", 1, 1, 3),
    ("entry", "after", 1, 2, 3),
    ("sync", "after", 1, 3, 3),
    ("entry", "before", 3, 5, 4),
]


def doomed(scorer: Scorer, step: str, moment: str, call: int) -> None:
    """Carry out a run that is killed at a step."""
    ended = replace(scorer, launcher=(*LET_DOWN, step, moment, str(call))).ended()
    assert (ended.status, ended.out) == (-(signal.SIGXFSZ if moment == "within" else signal.SIGKILL), ""), ended


def assert_killed(scorer: Scorer, step: str, moment: str, call: int, committed: int, left_over: int) -> None:
    """Check that a run that is killed at a step leaves whole commits, and files that no reader looks at."""
    doomed(scorer, step, moment, call)
    assert commits(scorer.table) == committed
    assert len(unused(scorer.table)) == left_over
    if committed >= 0:
        assert len(rows(scorer.table)) == committed * BATCH


def assert_made_up_for(scorer: Scorer, expected: pa.Table) -> None:
    """Check that one run completes the table, and that vacuum removes what was left over and nothing else."""
    committed = len(rows(scorer.table)) if commits(scorer.table) >= 0 else 0
    left_over = unused(scorer.table)
    summary = scorer.summary()
    assert (summary.unchanged, summary.scored + summary.rejected) == (committed, len(expected) - committed)
    assert_same(scorer.table, expected)
    assert left_over <= set(Table.open(scorer.table).vacuum())
    assert unused(scorer.table) == set()
    assert_same(scorer.table, expected)


@pytest.mark.long
def test_one_run_makes_up_for_many_that_were_killed(
    inbox: Path, bundle: Path, undisturbed: pa.Table, tmp_path: Path
) -> None:
    """Each killed at another step, and each going on where the one before left off."""
    scorer = Scorer(inbox, tmp_path / "table", bundle, BATCH)
    for case in CHAIN:
        assert_killed(scorer, *case)
    assert_made_up_for(scorer, undisturbed)


@pytest.mark.long
@pytest.mark.parametrize(("step", "moment", "call", "committed", "left_over"), EACH)
def test_one_run_makes_up_for_one_that_was_killed(
    step: str,
    moment: str,
    call: int,
    committed: int,
    left_over: int,
    inbox: Path,
    bundle: Path,
    undisturbed: pa.Table,
    tmp_path: Path,
) -> None:
    """At any step of any commit, from the making of the table to the run's summary."""
    scorer = Scorer(inbox, tmp_path / "table", bundle, BATCH)
    assert_killed(scorer, step, moment, call, committed, left_over)
    assert_made_up_for(scorer, undisturbed)


@pytest.mark.long
@pytest.mark.parametrize(
    ("moment", "of_compaction", "left_over"),
    [
        ("before", 0, 0),
        ("within", 0, 1),
        ("after", 1, ROWS),
    ],
)
def test_sigkill_in_compaction(
    moment: str,
    of_compaction: int,
    left_over: int,
    inbox: Path,
    bundle: Path,
    undisturbed: pa.Table,
    tmp_path: Path,
) -> None:
    """All rows are there, in small files or in a large one; and so is the run's summary."""
    scorer = Scorer(inbox, tmp_path / "table", bundle, batch_size=1)
    doomed(scorer, "compaction", moment, 1)
    assert commits(scorer.table) == ROWS + of_compaction
    assert len(unused(scorer.table)) == left_over
    (run,) = Table.open(scorer.table).runs()
    assert run.summary is not None
    assert run.summary["found"] == ROWS + 1
    assert_made_up_for(scorer, undisturbed)
    assert len(list(scorer.table.glob("*.parquet"))) == 1


@pytest.mark.long
@pytest.mark.parametrize(
    ("moment", "committed", "left_over"),
    [
        ("before", 0, 0),
        ("within", 0, 1),
        ("after", 1, 0),
    ],
)
def test_sigkill_while_a_table_of_the_earlier_version_gets_its_columns(
    moment: str,
    committed: int,
    left_over: int,
    inbox: Path,
    bundle: Path,
    undisturbed: pa.Table,
    tmp_path: Path,
) -> None:
    """The columns are there or not, and no row; the next run does the rest."""
    scorer = Scorer(inbox, tmp_path / "table", bundle, BATCH)
    create_former(scorer.table)
    doomed(scorer, "columns", moment, 1)
    assert commits(scorer.table) == committed
    assert len(unused(scorer.table)) == left_over
    assert_made_up_for(scorer, undisturbed)


def killed_at_random(scorer: Scorer, least: int, longest_s: float, draw: random.Random) -> int:
    """Kill a run some time after it has brought the table to so many commits; return how many there are then.

    It has come to its end before if they are all there. All processes that it started end with it.
    """
    with scorer.started() as process:
        wait_until(lambda: commits(scorer.table) >= least or process.poll() is not None)
        with suppress(subprocess.TimeoutExpired):
            process.wait(draw.uniform(0, longest_s))
        ended = killed(process)
        wait_for_the_last(process)
    fallen = commits(scorer.table)
    assert ended.status == -signal.SIGKILL or fallen >= MANY_COMMITS, ended
    return fallen


def killed_five_times(scorer: Scorer, draw: random.Random) -> tuple[Scorer, list[int]]:
    """Kill five runs, each of which goes on where the one before left off; return how many commits each left.

    Raises:
        TooLateError: the first had come too far when it was killed, or another one to its end.
    """
    fallen = [0]
    for least in range(1, 30, 6):
        scorer = replace(scorer, workers=1 + len(fallen) % 2)
        fallen.append(killed_at_random(scorer, max(least, fallen[-1] + 1), 0.04, draw))
        if fallen[1] > MANY_COMMITS // 2 or fallen[-1] >= MANY_COMMITS:
            raise TooLateError
    return scorer, fallen


@pytest.mark.long
def test_one_run_makes_up_for_many_that_were_killed_at_random_instants(
    many: Path, bundle: Path, undisturbed_many: pa.Table, tmp_path: Path
) -> None:
    """Five instants between the first and the last commit, with one process that labels or two."""
    kills = partial(killed_five_times, draw=random.Random(11))
    scorer, fallen = in_time(kills, Scorer(many, tmp_path / "table", bundle, MANY_BATCH))
    assert fallen == sorted(set(fallen))
    assert fallen[1] <= MANY_COMMITS // 2 < fallen[-1] < MANY_COMMITS
    assert_made_up_for(scorer, undisturbed_many)


@pytest.mark.long
@pytest.mark.parametrize("workers", [1, 2])
def test_one_run_makes_up_for_one_that_was_killed_at_a_random_instant(
    workers: int, many: Path, bundle: Path, undisturbed_many: pa.Table, tmp_path: Path
) -> None:
    """Six instants, spread from the first commit to the last, each in another table."""
    draw, kills = random.Random(workers), 6
    fallen: list[int] = []
    while len(fallen) < kills:
        with tempfile.TemporaryDirectory(dir=tmp_path) as folder:
            scorer = Scorer(many, Path(folder, "table"), bundle, MANY_BATCH, workers)
            least = 1 + len(fallen) * (MANY_COMMITS - 1) // kills
            commit = killed_at_random(scorer, least, 0.05, draw)
            assert_made_up_for(scorer, undisturbed_many)
        if commit < MANY_COMMITS:
            fallen.append(commit)
    assert len(set(fallen)) >= kills - 1

"""A run on Ray makes the same rows, and loses or doubles none when processes, nodes or the run itself are killed."""

import os
import random
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import crashing_reader
import pyarrow as pa
import pytest
from inbox_files import encoded, put, put_bad, put_good, tone
from on_ray import ACTOR, CHILD, COMMAND, ENGINE, assert_sentence, of_kind, on_ray
from score_process import (
    Process,
    Scorer,
    TooLateError,
    end_of,
    in_time,
    kill,
    killed,
    summary_of,
    wait_for_the_last,
    wait_until,
)
from table_files import assert_same, commits, rows

from audiomnist.scoring.summary import Summary
from audiomnist.scoring.table.table import Table
from benchmarks.small_cluster import SmallCluster, small_cluster

FILES, BATCH = 600, 15
COMMITS = FILES // BATCH
# What differs from run to run.
OF_THE_RUN = {"run_id", "started_at", "ended_at", "seconds", "files_per_s", "slowest"}


@pytest.fixture
def pair(many: Path, bundle: Path, tmp_path: Path) -> Scorer:
    """How six hundred sounds are scored by two workers of a Ray that the run starts."""
    return on_ray(Scorer(many, tmp_path / "table", bundle, BATCH, workers=2))


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five thousand files: good ones, rejected ones of every kind, copies, unfinished and hidden ones."""
    folder = tmp_path_factory.mktemp("mixed")
    put_good(folder / "good", 1_000)
    put_bad(folder / "bad", 300)
    for number in range(3_000):
        put(folder, f"{number % 11}/{number:04}.wav", encoded(tone(number % 10, 0.15, seed=number)))
    for path in sorted((folder / "0").iterdir())[:250] + sorted((folder / "good").iterdir())[:350]:
        put(folder, f"copies/{path.parent.name}-{path.name}", path.read_bytes())
    for number in range(100):
        put(folder, f"late/{'.' * (number % 2)}{number}.wav{'.part' * (1 - number % 2)}", b"RIFF")
    return folder


@contextmanager
def in_mid_run(scorer: Scorer, process: Process, least: int) -> Iterator[None]:
    """Wait until a run has made so many commits; raise TooLateError if it was complete at the end of the context."""
    wait_until(lambda: commits(scorer.table) >= least or process.poll() is not None)
    yield
    if commits(scorer.table) >= COMMITS:
        raise TooLateError


def assert_complete(scorer: Scorer, process: Process, expected: pa.Table) -> Summary:
    """Check that a run ends with status 0 and all rows, and leaves no process."""
    summary = summary_of(end_of(process), 0)
    assert (summary.found, summary.scored, summary.deferred) == (FILES, FILES, 0)
    assert_same(scorer.table, expected)
    wait_for_the_last(process)
    return summary


def assert_made_up_for(scorer: Scorer, expected: pa.Table) -> None:
    """Check that the next run on Ray completes the table."""
    committed = len(rows(scorer.table))
    summary = scorer.summary(*ENGINE)
    assert (summary.unchanged, summary.scored) == (committed, len(expected) - committed)
    assert_same(scorer.table, expected)


@pytest.mark.long
def test_ray_makes_the_rows_of_the_other_engine(pair: Scorer, undisturbed_many: pa.Table, tmp_path: Path) -> None:
    """It prints nothing of its own, and neither a process nor a file of it is left."""
    folder = Path(tempfile.mkdtemp(prefix="t"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(folder))
        patch.setenv("HOME", str(tmp_path))
        with pair.started(*ENGINE, "--quiet") as process:
            ended = end_of(process)
            wait_for_the_last(process)
    assert (ended.status, ended.out, ended.err) == (0, "", "")
    assert_same(pair.table, undisturbed_many)
    assert [*folder.iterdir()] == []
    assert not (tmp_path / ".ray").exists()
    folder.rmdir()


@pytest.mark.long
def test_five_thousand_mixed_files(mixed: Path, bundle: Path, tmp_path: Path) -> None:
    """Rows, labels, rejects, deferred files and the summary are those of the other engine."""
    local = Scorer(mixed, tmp_path / "local", bundle, batch_size=500, workers=2, launcher=COMMAND)
    ray = replace(local, table=tmp_path / "ray")
    expected, found = local.summary(), ray.summary(*ENGINE)
    assert (expected.found, expected.deferred) == (5_000, 100)
    assert len(expected.by_reason) > 15
    assert expected.rejected >= 300
    assert_same(ray.table, rows(local.table))
    compared = [summary.model_dump(mode="json", exclude=OF_THE_RUN) for summary in (found, expected)]
    numbers = [summary.pop("mean_confidence") for summary in compared]
    assert numbers[0] == pytest.approx(numbers[1])
    certain = [[file["path"] for file in summary.pop("least_certain")] for summary in compared]
    assert len(set(certain[0]) & set(certain[1])) > 7
    assert compared[0] == compared[1]
    again = ray.summary(*ENGINE)
    assert (again.unchanged, again.deferred, again.rows) == (4_900, 100, 0)


@pytest.mark.long
@pytest.mark.parametrize("victim", [CHILD, ACTOR], ids=["child", "actor"])
def test_a_worker_that_is_killed_takes_no_file_with_it(victim: bytes, pair: Scorer, undisturbed_many: pa.Table) -> None:
    """Be it the process that decodes, or Ray's own that has started it."""

    def lost(scorer: Scorer) -> None:
        with scorer.started(*ENGINE, "--json") as process:
            with in_mid_run(scorer, process, 1):
                if not kill(of_kind(process, victim)[:1]):
                    raise TooLateError
            assert_complete(scorer, process, undisturbed_many)

    in_time(lost, pair)


@pytest.fixture(scope="module")
def cluster() -> Iterator[SmallCluster]:
    """A head without CPUs, and two nodes of one CPU."""
    with small_cluster(2) as running:
        yield running


@pytest.mark.long
def test_a_node_that_is_killed_takes_no_file_with_it(
    cluster: SmallCluster, pair: Scorer, undisturbed_many: pa.Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All its processes at once, with what they had in hand and the results that they kept; the other does the rest."""
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN"):
        monkeypatch.setenv(name, cluster.environment[name])

    def lost(scorer: Scorer) -> None:
        with scorer.started(*ENGINE, "--address", cluster.address, "--json") as process:
            try:
                with in_mid_run(scorer, process, 2):
                    cluster.kill_node()
                assert_complete(scorer, process, undisturbed_many)  # what Ray says of its loss is not in the output
            finally:
                cluster.add_node()

    in_time(lost, pair)


@pytest.mark.long
def test_one_run_makes_up_for_many_that_were_killed(pair: Scorer, undisturbed_many: pa.Table) -> None:
    """Each went on where the one before had left off, and no process of its Ray is left after it."""
    draw = random.Random(3)

    def fallen(scorer: Scorer) -> Scorer:
        for least in (1, 8, 16):
            with scorer.started(*ENGINE) as process:
                with (
                    in_mid_run(scorer, process, max(least, commits(scorer.table) + 1)),
                    suppress(subprocess.TimeoutExpired),
                ):
                    process.wait(draw.uniform(0, 0.03))
                assert killed(process).status == -signal.SIGKILL
                wait_for_the_last(process)
        return scorer

    assert_made_up_for(in_time(fallen, pair), undisturbed_many)


@pytest.mark.long
def test_a_file_that_ends_its_process_is_deferred(
    inbox: Path, bundle: Path, undisturbed: pa.Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ray does not try it for ever, and all other files have their rows."""
    scorer = on_ray(Scorer(Path(shutil.copytree(inbox, tmp_path / "inbox")), tmp_path / "table", bundle, workers=2))
    put(scorer.inbox, "2/crash.flac", b"crash")
    put(scorer.inbox, "1/kill.flac", b"kill")
    libraries = os.pathsep.join([str(crashing_reader.put(tmp_path / "deadly")), os.environ.get("PYTHONPATH", "")])
    monkeypatch.setenv("PYTHONPATH", libraries)
    summary = scorer.summary(*ENGINE, status=7)
    assert summary.by_deferred_reason == {"worker_died": 2, "unfinished_name": 1}
    assert_same(scorer.table, undisturbed)


@pytest.mark.long
@pytest.mark.parametrize(
    ("number", "send"),
    [(signal.SIGTERM, os.kill), (signal.SIGINT, os.killpg), (signal.SIGHUP, os.killpg)],
    ids=["SIGTERM", "ctrl-c", "hang-up"],
)
def test_a_signal_ends_a_run_with_what_is_done(
    number: signal.Signals, send: Callable[[int, int], None], pair: Scorer, undisturbed_many: pa.Table
) -> None:
    """Status 130, a summary that the table agrees with; a terminal sends the signal to Ray's processes as well."""

    def interrupted(scorer: Scorer) -> Scorer:
        with scorer.started(*ENGINE, "--json") as process:
            with in_mid_run(scorer, process, 2):
                send(process.pid, number)
                ended = end_of(process)
            summary = summary_of(ended, 130)
            wait_for_the_last(process)
        assert summary.interrupted
        assert summary.remaining > 0
        assert len(rows(scorer.table)) == summary.scored
        return scorer

    assert_made_up_for(in_time(interrupted, pair), undisturbed_many)


@pytest.mark.long
def test_a_second_signal_ends_a_run_at_once(pair: Scorer, undisturbed_many: pa.Table) -> None:
    """While Ray starts, too; committed rows stay."""
    with pair.started(*ENGINE, "--json") as process:
        wait_until(lambda: of_kind(process, b"gcs_server"))
        for _ in range(2):
            process.send_signal(signal.SIGINT)
            time.sleep(1)  # two that arrive at once are one
        ended = end_of(process)
        wait_for_the_last(process)
    assert (ended.status, ended.out) == (130, ""), ended
    assert "Traceback" not in ended.err
    assert Table.open(pair.table).runs() == []
    assert_made_up_for(pair, undisturbed_many)


@pytest.mark.long
@pytest.mark.parametrize(("address", "words"), [("127.0.0.1:1", "refused"), ("nonsense", "address")])
def test_a_cluster_that_cannot_be_reached_is_a_sentence(address: str, words: str, pair: Scorer) -> None:
    """Status 8, soon; nothing is committed."""
    ended = pair.ended(*ENGINE, "--address", address, "--quiet")
    assert_sentence(ended, 8, f"Ray at {address} cannot be used", words)
    assert len(rows(pair.table)) == 0


@pytest.mark.long
@pytest.mark.parametrize("victim", [b"gcs/gcs_server", b"raylet/raylet"], ids=["head", "node"])
def test_a_run_whose_ray_is_gone_ends_with_a_sentence(victim: bytes, pair: Scorer, undisturbed_many: pa.Table) -> None:
    """The head of the cluster, or Ray's process on the machine of the run: status 8, and the next run does the rest."""

    def orphaned(scorer: Scorer) -> Scorer:
        with scorer.started(*ENGINE, "--quiet") as process:
            wait_until(lambda: of_kind(process, CHILD) or process.poll() is not None)
            assert kill(of_kind(process, victim)) == 1
            ended = end_of(process)
            wait_for_the_last(process)
        if ended.status == 0:
            raise TooLateError
        assert_sentence(ended, 8, "Ray does not answer any more")
        return scorer

    assert_made_up_for(in_time(orphaned, pair), undisturbed_many)


@pytest.mark.long
def test_a_cluster_with_another_secret_is_a_sentence(cluster: SmallCluster, pair: Scorer) -> None:
    """Who does not know it cannot run anything there."""
    ended = pair.ended(*ENGINE, "--address", cluster.address, "--quiet")
    assert_sentence(ended, 8, f"Ray at {cluster.address} cannot be used", "check RAY_AUTH_MODE and RAY_AUTH_TOKEN")


@pytest.mark.long
def test_memory_of_the_run_does_not_grow_with_the_inbox(bundle: Path, tmp_path: Path) -> None:
    """Ten times the files take little more: the cluster has what is in hand, and that is bounded."""
    content = encoded(tone(3, 0.1))
    peaks = []
    for files in (3_000, 30_000):
        inbox = tmp_path / f"{files}"
        for number in range(files):
            put(inbox, f"{number % 97}/{number}.wav", content)
        scorer = Scorer(inbox, tmp_path / f"{files}-table", bundle, batch_size=4096, workers=2, launcher=COMMAND)
        peaks.append(peak_mb(scorer))
        assert len(rows(scorer.table)) == files
    assert peaks[1] - peaks[0] < 60


def peak_mb(scorer: Scorer) -> float:
    """Carry out a run on Ray; return the largest resident memory of the process itself."""
    process = subprocess.Popen(scorer.command(*ENGINE, "--quiet"), start_new_session=True)
    wait = partial(os.wait4, process.pid, 0)
    _, status, usage = wait()
    assert status == 0
    return usage.ru_maxrss / 1024

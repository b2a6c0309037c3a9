"""Several processes write to one table in an object store, or are killed: every file has one row."""

import json
import random
import re
import signal
import subprocess
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pyarrow as pa
import pytest
from faulty_proxy import SLOW_DOWN, Delayed, is_lost
from object_stores import Bucket, ObjectStore, sound
from runs import audiomnist
from score_process import AUDIOMNIST, IN_SMALL_CHUNKS, Ended, Scorer, end_of, killed, wait_for_the_last, wait_until

from audiomnist.scoring.table.schema import SCHEMA
from audiomnist.scoring.table.table import Table
from audiomnist.storage.url import Url

FILES, BATCH = 300, 20
ENTRY = r"_delta_log/\d+\.json"


@dataclass(frozen=True)
class Runs:
    """Runs of an inbox with many files in a bucket into a table in it."""

    bucket: Bucket
    bundle: Path

    def scorer(self, batch: int = BATCH) -> Scorer:
        """Return how it is scored: its places are words of a command, no paths."""
        inbox, table = (cast("Path", self.bucket.url(name)) for name in ("inbox", "table"))
        return Scorer(inbox, table, self.bundle, batch, launcher=IN_SMALL_CHUNKS)

    def together(self, count: int, batch: int = BATCH) -> list[Ended]:
        """Carry out runs at the same time."""
        with ThreadPoolExecutor(count) as threads:
            return list(threads.map(lambda _: self.scorer(batch).ended("--json"), range(count)))

    def commits(self) -> int:
        """Return how many commits the table has."""
        return len([key for key in self.bucket.keys("table/_delta_log/") if key.endswith(".json")])

    def paths(self) -> list[str]:
        """Return the path of each row."""
        return [row["path"] for batch in self.table().scan(["path"]) for row in batch.to_pylist()]

    def table(self) -> Table:
        """Return the table."""
        return Table.open(Url("s3", self.bucket.name, "table"))


@pytest.fixture
def runs(bucket: Bucket, bundle: Path) -> Runs:
    """Three hundred sounds to be scored."""
    for number in range(FILES):
        bucket.put(f"inbox/{number % 5}/{number:03}.wav", sound(number))
    return Runs(bucket, bundle)


def one_row(path: str) -> pa.Table:
    """Return the row of a file that was rejected."""
    texts = dict.fromkeys(("model", "model_version", "dataset", "dataset_version", "code_revision", "run_id"), "x")
    known = {**texts, "path": path, "size_bytes": 1, "modified_ns": 1, "status": "rejected", "scored_at": 0}
    return pa.table({field.name: pa.array([known.get(field.name)], field.type) for field in SCHEMA}, SCHEMA)


def assert_each_has_one_row(runs: Runs) -> None:
    """Check that there are as many rows as files, and no two of one."""
    assert set(Counter(runs.paths()).values()) == {1}
    assert len(runs.paths()) == FILES


@pytest.mark.long
@pytest.mark.parametrize("lost", [False, True])
def test_two_runs_at_once_give_each_file_one_row(lost: bool, runs: Runs, store: ObjectStore) -> None:  # noqa: FBT001
    """Also where the answers to every third of their commits are lost; in three tables one after the other."""
    for _ in range(3):
        if lost:
            store.proxy.let(is_lost, "PUT", ENTRY, every=3)
        ended = runs.together(2)
        assert [run.status for run in ended] == [0, 0], ended
        store.proxy.reset()
        assert_each_has_one_row(runs)
        summaries = [json.loads(run.out) for run in ended]
        assert all(summary["found"] == FILES for summary in summaries)
        assert runs.scorer().summary().unchanged == FILES
        for key in runs.bucket.keys("table/"):
            runs.bucket.delete(key)


@pytest.mark.parametrize("entry", range(4))
def test_a_commit_whose_answer_is_lost_is_not_made_twice(
    entry: int, inbox: Bucket, bundle: Path, store: ObjectStore
) -> None:
    """Whichever: of the table's creation, of the rows, and of the summary."""
    store.proxy.let(is_lost, "PUT", f"_delta_log/0*{entry}.json", times=1)
    ended = audiomnist(
        *("score", inbox.url("inbox"), "--into", inbox.url("table"), "--model", bundle, "--workers", "1"),
        *("--batch-size", "4", "--json"),
    )
    assert ended.status == 0, ended
    store.proxy.reset()
    runs = Runs(inbox, bundle)
    assert Counter(runs.paths()) == Counter(f"{number % 3}/{number}.wav" for number in range(10))
    assert len(runs.table().runs()) == 1


def test_writers_that_create_the_table_at_once_have_one(bucket: Bucket) -> None:
    """Whoever comes first."""
    for number in range(4):
        url = Url("s3", bucket.name, f"table{number}")
        with ThreadPoolExecutor(6) as threads:
            list(threads.map(Table.create, [url] * 6))
        assert Table.open(url).runs() == []
        assert all("_delta_log" in key for key in bucket.keys(f"table{number}"))


@pytest.mark.long
def test_six_writers_append_to_one_table(bucket: Bucket) -> None:
    """Each appends five times; no row is lost, and none doubled."""
    url = Url("s3", bucket.name, "table")
    Table.create(url)

    def append(writer: int) -> None:
        table = Table.open(url)
        for number in range(5):
            table.append(one_row(f"{writer}/{number}"), {"audiomnist.run_id": f"{writer}"})

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(append, range(6)))
    found = [row["path"] for batch in Table.open(url).scan(["path"]) for row in batch.to_pylist()]
    assert sorted(found) == sorted(f"{writer}/{number}" for writer in range(6) for number in range(5))


@pytest.mark.long
def test_writers_that_merge_small_files_at_once_double_no_row(bucket: Bucket) -> None:
    """One of them replaces the files by one, the others leave them."""
    url = Url("s3", bucket.name, "table")
    table = Table.create(url)
    for number in range(33):
        table.append(one_row(f"{number:02}"), {"audiomnist.run_id": "1"})
    with ThreadPoolExecutor(3) as threads:
        assert sorted(threads.map(Table.compact, [Table.open(url) for _ in range(3)])) == [0, 0, 33]
    found = [row["path"] for batch in Table.open(url).scan(["path"]) for row in batch.to_pylist()]
    assert sorted(found) == [f"{number:02}" for number in range(33)]


def killed_after_a_commit(runs: Runs, seconds: float) -> bool:
    """Kill a run some time after its next commit; return whether it had not come to its end before."""
    before = runs.commits()
    with runs.scorer().started() as process:
        wait_until(lambda: runs.commits() > before or process.poll() is not None)
        with suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
        ended = killed(process)
        wait_for_the_last(process)
    return ended.status == -signal.SIGKILL


@pytest.mark.long
def test_one_run_makes_up_for_many_that_were_killed(runs: Runs, store: ObjectStore) -> None:
    """At ten random instants, each going on where the one before left off."""
    draw = random.Random(5)
    store.proxy.let(Delayed(0.02), "PUT")
    fallen = 0
    for _ in range(10):
        fallen += killed_after_a_commit(runs, draw.uniform(0, 0.2))
        assert len(set(runs.paths())) == len(runs.paths())
    assert fallen >= 3
    store.proxy.reset()
    committed = len(runs.paths())
    summary = runs.scorer().summary()
    assert (summary.unchanged, summary.scored) == (committed, FILES - committed)
    assert_each_has_one_row(runs)


@pytest.mark.long
@pytest.mark.parametrize(
    ("path", "first_s"), [("list-type=2&prefix=inbox", 0.5), ("/inbox/.*wav", 0.5), (r"_delta_log/\d", 0.5)]
)
def test_two_signals_end_a_run_that_the_store_holds_up(
    path: str, first_s: float, inbox: Bucket, bundle: Path, store: ObjectStore
) -> None:
    """Within seconds, while it throttles listings, reads or commits for minutes."""
    inbox_url, table = (cast("Path", inbox.url(name)) for name in ("inbox", "table"))
    store.proxy.let(Delayed(120), path=path)
    with Scorer(inbox_url, table, bundle, launcher=AUDIOMNIST).started() as process:
        wait_until(lambda: any(re.search(path, f"{asked.path}?{asked.query}") for asked in store.proxy.requests))
        time.sleep(first_s)
        process.send_signal(signal.SIGINT)
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        start = time.monotonic()
        assert end_of(process).status == 130
        assert time.monotonic() - start < 15
        wait_for_the_last(process)


def test_the_second_run_of_a_throttled_pair_goes_on(inbox: Bucket, bundle: Path, store: ObjectStore) -> None:
    """Throttled commits are repeated, and made once."""
    store.proxy.let(SLOW_DOWN, "PUT", ENTRY, every=2)
    for status in (0, 0):
        ended = audiomnist("score", inbox.url("inbox"), "--into", inbox.url("table"), "--model", bundle)
        assert ended.status == status, ended
    store.proxy.reset()
    assert len(Runs(inbox, bundle).paths()) == 10

"""The command `python -m benchmarks.cluster_demo`: a run from and to an object store on three Ray nodes.

One of the nodes is killed on the way. The command prints where the files have gone to, and ends with status 1 if one of
them was lost or has two rows. Store and nodes are processes of this machine.
"""

import io
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import numpy as np
import obstore
import soundfile
from obstore.store import S3Store

from audiomnist.core.errors import AudiomnistError
from audiomnist.scoring.table.schema import LABELS
from audiomnist.scoring.table.table import Table
from audiomnist.storage.url import place_of
from benchmarks.small_cluster import SmallCluster, free_port, session, small_cluster

_FILES = 5_000
_MODEL = Path("models/selected")
_RATE_HZ = 8000
_DEADLINE_S = 170
_CHILD = b"multiprocessing-fork"
_BROKEN, _UNFINISHED = 25, 100  # one of so many files
_INBOX, _TABLE = "s3://recordings/inbox", "s3://results/table"


class DemoError(AudiomnistError):
    """A file was lost or has two rows, or the run failed."""


def main() -> None:
    """Score files on a cluster, kill a node meanwhile, and check the table."""
    start = time.monotonic()
    with object_store():
        put_files()
        print(f"{_FILES:,} files are in {_INBOX}; a head and two nodes of one CPU start", flush=True)
        with small_cluster(2) as cluster:
            summary = scored_with_a_loss(cluster)
        check(summary)
    print(f"{time.monotonic() - start:.0f} s in all")


@contextmanager
def object_store() -> Iterator[None]:
    """Run an S3 server on this machine, for which the environment is set from now on, with two buckets."""
    port = free_port()
    os.environ.update(
        AWS_ACCESS_KEY_ID="demo",
        AWS_SECRET_ACCESS_KEY="demo",  # noqa: S106 - the server takes any
        AWS_REGION="us-east-1",
        AWS_ENDPOINT_URL=f"http://127.0.0.1:{port}",
        AWS_ALLOW_HTTP="true",
    )
    command = [sys.executable, "-m", "moto.server", "--host", "127.0.0.1", "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            for bucket in ("recordings", "results"):
                make_bucket(port, bucket)
            yield
        finally:
            server.kill()


def make_bucket(port: int, bucket: str) -> None:
    """Make a bucket as soon as the server answers."""
    deadline = time.monotonic() + _DEADLINE_S
    while time.monotonic() < deadline:
        with suppress(ConnectionError):
            connection = HTTPConnection("127.0.0.1", port)
            connection.request("PUT", f"/{bucket}")
            connection.getresponse()
            return
        time.sleep(0.1)
    raise DemoError("the object store does not start")


def put_files() -> None:
    """Upload distinct sounds, some of which are cut off or have names of files that are still being written."""
    store = S3Store("recordings", prefix="inbox")
    with ThreadPoolExecutor(8) as threads:
        for _ in threads.map(lambda number: obstore.put(store, *file(number)), range(_FILES)):
            pass


def file(number: int) -> tuple[str, bytes]:
    """Return the name and the content of a file."""
    name, content = f"{number // 500}/{number:04}.wav", sound(number)
    if number % _BROKEN == 0:
        return name, content[: len(content) // 2]
    return (f"{name}.part", content) if number % _UNFINISHED == 1 else (name, content)


def sound(number: int) -> bytes:
    """Return a WAV file of a fifth of a second, no two alike."""
    samples = np.random.default_rng(number).normal(0, 0.1, _RATE_HZ // 5)
    content = io.BytesIO()
    soundfile.write(content, samples, _RATE_HZ, subtype="PCM_16", format="WAV")
    return content.getvalue()


def scored_with_a_loss(cluster: SmallCluster) -> dict[str, Any]:
    """Score the files on a cluster; kill a node that is at work. Return the summary of the run."""
    words = ["score", _INBOX, "--into", _TABLE, "--model", str(_MODEL), "--engine", "ray", "--address", cluster.address]
    print("audiomnist", *words, flush=True)
    command = [sys.executable, "-m", "audiomnist", *words, "--batch-size", "500", "--json", "--quiet"]
    with subprocess.Popen(command, env=cluster.environment, stdout=subprocess.PIPE, text=True) as process:
        wait_for_work(cluster, process)
        cluster.kill_node()
        if process.poll() is not None:
            raise DemoError("the node was killed too late: the run had ended")
        print("a node that was at work is killed, with all its processes", flush=True)
        out, _ = process.communicate(timeout=_DEADLINE_S)
    if process.returncode or not out:
        raise DemoError(f"the run ended with status {process.returncode}")
    return dict(json.loads(out))


def wait_for_work(cluster: SmallCluster, process: subprocess.Popen[str]) -> None:
    """Wait until a process that scores runs on the first node, and a moment more; or until the run has ended."""
    while process.poll() is None and not any(map(scores, session(cluster.nodes[0]))):
        time.sleep(0.01)
    time.sleep(3)


def scores(pid: int) -> bool:
    """Return whether a process has a model."""
    try:
        return _CHILD in Path("/proc", str(pid), "cmdline").read_bytes()
    except OSError:
        return False


def check(summary: dict[str, Any]) -> None:
    """Print the equation of the run and the number of rows; raise DemoError if they do not agree."""
    outcomes = ("scored", "abstained", "rejected", "unchanged", "deferred", "remaining", "excluded")
    print(f"found {summary['found']:,} = " + " + ".join(f"{summary[name]:,} {name}" for name in outcomes))
    rows = sum(summary[name] for name in outcomes[:3])
    identities = Counter(row for batch in Table.open(place_of(_TABLE)).scan() for row in LABELS.identities(batch))
    print(f"the table has {identities.total():,} rows, of {len(identities):,} files; {summary['seconds']:.0f} s")
    if not rows == identities.total() == len(identities) or summary["found"] != _FILES:
        raise DemoError("a file was lost, or has two rows")
    print("no file was lost, and none has two rows")


if __name__ == "__main__":
    try:
        main()
    except AudiomnistError as error:
        sys.exit(f"cluster_demo: {error}")

"""The engine `ray`: like the worker pool of this machine, it scores chunks, but on a cluster.

The command lists the inbox, decides what is new and alone writes to the table, whatever the engine is. So every promise
about the table holds here too, however often Ray runs a task again: only answers that reach the command become rows.

The command puts each chunk into Ray's object store; Ray's tasks do not list the inbox themselves. A task that runs
again, because its node was lost, would find another inbox than before: some files would be scored twice, others
never. Chunks in the object store stay the same.

Chunks are scored in windows of a bounded number of files, so memory does not grow with the inbox. While the cluster
scores a window, the command lists the next one, which may be larger by `_GROWTH`: the first results come soon, and few
windows, each of which starts its actors anew, are enough for a large inbox.
"""

import os
import secrets
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Any, Protocol

from audiomnist.core import extras
from audiomnist.core.extras import MissingExtraError
from audiomnist.scoring.cluster.remote import ClusterError
from audiomnist.scoring.shutdown import Stop
from audiomnist.scoring.workers.scorer import Chunk, ScoredChunk, ScoringTask

# Address that stands for a Ray of this machine, which starts and ends with the run.
LOCAL = "local"

# Files whose paths, or results, are in the object store at a time: some hundred megabytes.
_WINDOW_FILES = 2_000_000
# Chunks of the first window, per worker; how much larger each next one may be.
_FIRST_CHUNKS = 16
_GROWTH = 8

# Ray reports nothing to its makers, keeps its messages in its log files, and does not start again where it was ended.
_ENVIRONMENT = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_BACKEND_LOG_LEVEL": "fatal", "RAY_ENABLE_AUTO_CONNECT": "0"}
# One per process, because Ray reads it once.
_SECRET = secrets.token_hex(32)


@dataclass(frozen=True)
class Cluster:
    """Where to score: the address of Ray (`LOCAL` to start one), and the number of workers, None for one per CPU."""

    address: str = LOCAL
    workers: int | None = None


class Pool(Protocol):
    """The workers of a cluster; `workers` is their number."""

    workers: int

    def put(self, chunk: Chunk) -> Any:
        """Store a chunk in the cluster; return a reference to it."""

    def scored(self, chunks: list[Any], stop: Stop) -> Generator[ScoredChunk, None, None]:
        """Score stored chunks, in order; fewer of them once a stop is requested."""


@dataclass
class _Window:
    """Chunks in the object store, and the number of their files that have no result yet."""

    chunks: list[Any] = field(default_factory=list)
    files: int = 0

    def take(self, chunks: Iterator[Chunk], count: int, pool: Pool) -> None:
        """Store some more chunks, unless the window is full."""
        for chunk in islice(chunks, count if self.files < _WINDOW_FILES else 0):
            self.chunks.append(pool.put(chunk))
            self.files += len(chunk)


def scored_chunks(
    task: ScoringTask, chunks: Iterable[Chunk], cluster: Cluster, stop: Stop, leave: Callable[[int], None]
) -> Generator[ScoredChunk, None, None]:
    """Score chunks of files, in order, on a cluster that is connected with the first chunk.

    Once `stop` is requested, no more results are waited for. `leave` receives the number of files that have none.

    Raises:
        ClusterError: the cluster cannot be reached, or cannot do the work.
        AudiomnistError: the model or the inbox cannot be used.
    """
    rest = iter(chunks)
    if (first := next(rest, None)) is None:
        return
    with _connected(task, cluster) as pool:
        yield from in_windows(pool, chain([first], rest), stop, leave)


def in_windows(
    pool: Pool, chunks: Iterator[Chunk], stop: Stop, leave: Callable[[int], None]
) -> Generator[ScoredChunk, None, None]:
    """Score chunks window by window; see `scored_chunks`."""
    window = _Window()
    window.take(chunks, _FIRST_CHUNKS * pool.workers, pool)
    while window.chunks and not stop.requested:
        following = _Window()
        with closing(pool.scored(window.chunks, stop)) as done:
            for part in done:
                window.files -= len(part.results) + len(part.deferred)
                yield part
                following.take(chunks, _GROWTH, pool)
        if stop.requested:
            leave(window.files)
        window = following
    leave(window.files)


@contextmanager
def _connected(task: ScoringTask, cluster: Cluster) -> Iterator[Pool]:
    with _environment(cluster.address):
        try:
            with extras.explained("cluster"):
                from audiomnist.scoring.cluster import ray_pool  # noqa: PLC0415 - the other engine does without Ray
        except MissingExtraError as error:
            raise ClusterError(str(error)) from error
        with ray_pool.connected(task, cluster.address, cluster.workers) as pool:
            yield pool


@contextmanager
def _environment(address: str) -> Iterator[None]:
    """Set what Ray reads from the environment while it is imported and started.

    A Ray of this run listens on all addresses of the machine and runs what it is asked to, so it gets a secret of its
    own. That of a cluster is what its operator has set.
    """
    before = dict(os.environ)
    os.environ.update({name: value for name, value in _ENVIRONMENT.items() if name not in before})
    if address == LOCAL:
        os.environ.update(RAY_AUTH_MODE="token", RAY_AUTH_TOKEN=_SECRET)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)

"""The workers of a Ray cluster: a pool of actors, to which Ray Data brings chunks. No other module imports Ray."""

import logging
import os
import signal
import socket
import time
import warnings
from collections.abc import Generator, Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from functools import partial
from pathlib import Path
from queue import Empty, Full, Queue
from tempfile import TemporaryDirectory
from threading import Event, Thread
from typing import Any

import pyarrow as pa
import ray
from ray.data import ActorPoolStrategy, DataContext, Dataset
from ray.exceptions import RayError, RayTaskError

from audiomnist.core.errors import AudiomnistError
from audiomnist.core.processes import ENDING_SIGNALS, available_cores
from audiomnist.scoring.cluster import bundle_files
from audiomnist.scoring.cluster.engine import LOCAL
from audiomnist.scoring.cluster.remote import ClusterError, RemoteScorer, block, contents
from audiomnist.scoring.shutdown import Stop
from audiomnist.scoring.workers.scorer import Chunk, ScoredChunk, ScoringTask
from audiomnist.serving.bundle import code_version

_STDERR = 2
_CONNECT_S = 20.0
_POLL_S, _PULSE_S = 0.2, 1.0
# Blocks of results that wait for the command, each of one chunk.
_WAITING = 4


class RayPool:
    """Workers of a connected cluster, one per actor, each of which takes one CPU."""

    def __init__(self, task: ScoringTask, workers: int) -> None:
        """Store the bundle in the cluster."""
        self.workers = workers
        self._pulse = _Pulse()
        bundle = partial(ray.get, ray.put(bundle_files.read(task.bundle)))
        self._arguments = (task, code_version.revision(), bundle)

    def put(self, chunk: Chunk) -> Any:
        """Store a chunk in the cluster; return a reference to it."""
        return ray.put(block(chunk))

    def scored(self, chunks: list[Any], stop: Stop) -> Generator[ScoredChunk, None, None]:
        """Score stored chunks, in order; fewer of them once a stop is requested."""
        for answers in _blocks(self._dataset(chunks), stop, self._pulse):
            for answer in contents(answers):
                if isinstance(answer, AudiomnistError):
                    raise answer
                yield answer

    def _dataset(self, chunks: list[Any]) -> Dataset:
        count = min(self.workers, len(chunks))
        return ray.data.from_arrow_refs(chunks).map_batches(
            RemoteScorer,
            fn_constructor_args=self._arguments,
            batch_size=None,
            batch_format="pyarrow",
            num_cpus=1,
            compute=ActorPoolStrategy(min_size=1, max_size=count, initial_size=count),
        )


@contextmanager
def connected(task: ScoringTask, address: str, workers: int | None) -> Iterator[RayPool]:
    """Connect to a cluster, or start a Ray on this machine that ends with the context; yield its workers.

    Raises:
        ClusterError: the cluster cannot be reached, or has no CPU.
    """
    _silence()
    with TemporaryDirectory(prefix="ray-") as folder, _discarded_stdout(), _own_signal_handlers():
        try:
            with _own_signal_handlers():
                _connect(address, workers, folder)
        except (ConnectionError, RuntimeError, ValueError, OSError, RayError) as error:
            ray.shutdown()
            raise ClusterError(f"Ray at {address} cannot be used: {_first_line(error)}{_hint(error)}") from error
        try:
            yield RayPool(task, workers or _cpus(address))
        finally:
            ray.shutdown()


def _connect(address: str, workers: int | None, folder: str) -> None:
    start: dict[str, Any] = {}
    if address == LOCAL:
        start = {"num_cpus": workers or available_cores(), "include_dashboard": False, "_temp_dir": folder}
    elif ":" in address:
        _check_answers(address)
    with _discarded_stderr():
        ray.init(address, log_to_driver=False, configure_logging=False, **start)
    context = DataContext.get_current()
    context.enable_progress_bars = False
    context.execution_options.preserve_order = True  # the summary names the first rejects


def _check_answers(address: str) -> None:
    """Raise OSError if nothing listens there, for which Ray would wait some minutes."""
    host, _, port = address.rpartition(":")
    socket.create_connection((host, int(port)), _CONNECT_S).close()


def _cpus(address: str) -> int:
    if cpus := int(ray.cluster_resources().get("CPU", 0)):  # type: ignore[no-untyped-call]
        return cpus
    raise ClusterError(f"Ray at {address} has no CPU: wait for its nodes, or name --workers if it adds nodes by itself")


def _silence() -> None:
    """Keep Ray's messages out of this command's output; its log files have them."""
    for name in ("ray", "ray.data"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    warnings.filterwarnings("ignore", module="ray")


@contextmanager
def _discarded_stdout() -> Iterator[None]:
    """Discard what Ray prints when it has lost a process; the command prints its result later."""
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere, redirect_stdout(nowhere):
        yield


@contextmanager
def _discarded_stderr() -> Iterator[None]:
    """Discard what Ray's library writes to the file descriptor, past Python, while it starts."""
    kept, nowhere = os.dup(_STDERR), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, _STDERR)
    try:
        yield
    finally:
        os.dup2(kept, _STDERR)
        os.close(kept)
        os.close(nowhere)


@contextmanager
def _own_signal_handlers() -> Iterator[None]:
    """Undo what Ray does to the handlers of signals, also below Python, when it starts or ends."""
    handlers = {number: signal.getsignal(number) for number in ENDING_SIGNALS}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _hint(error: Exception) -> str:
    """Return what Ray does not say when the cluster does not accept the token."""
    return ". If it runs there, check RAY_AUTH_MODE and RAY_AUTH_TOKEN" if type(error) is ConnectionError else ""


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]


class _Pulse:
    """Notices that the head of the cluster, or Ray's process on this machine, is gone: without them Ray exits."""

    def __init__(self) -> None:
        here = ray.get_runtime_context()
        (node,) = (node for node in ray.nodes() if node["NodeID"] == here.get_node_id())  # type: ignore[no-untyped-call]
        self._addresses = [here.gcs_address, f"{node['NodeManagerAddress']}:{node['NodeManagerPort']}"]
        self._checked_at = time.monotonic()

    def check(self) -> None:
        """Raise ClusterError if one does not answer; look now and then only."""
        if time.monotonic() - self._checked_at < _PULSE_S:
            return
        try:
            for address in self._addresses:
                _check_answers(address)
        except OSError as error:
            raise ClusterError(f"Ray does not answer any more at {address}: {error}") from error
        self._checked_at = time.monotonic()


def _blocks(dataset: Dataset, stop: Stop, pulse: _Pulse) -> Iterator[pa.Table]:
    """Yield the blocks of results, which a thread waits for: Ray does not let a request to stop through."""
    waiting: Queue[pa.Table | BaseException | None] = Queue(_WAITING)
    closed = Event()
    Thread(target=_fetch, args=(dataset, waiting, closed), daemon=True).start()
    try:
        while not stop.requested:
            pulse.check()
            with suppress(Empty):
                found = waiting.get(timeout=_POLL_S)
                if isinstance(found, RayError) and not isinstance(found, RayTaskError):
                    raise ClusterError(f"Ray cannot go on: {_first_line(found)}") from found
                if isinstance(found, BaseException):
                    raise found
                if found is None:
                    return
                yield found
    finally:
        closed.set()


def _fetch(dataset: Dataset, waiting: Queue[pa.Table | BaseException | None], closed: Event) -> None:
    try:
        for found in dataset.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=_WAITING):
            if not _handed_over(found, waiting, closed):
                return
        _handed_over(None, waiting, closed)
    except BaseException as error:  # noqa: BLE001 - raised by the other thread
        _handed_over(error, waiting, closed)


def _handed_over(found: pa.Table | BaseException | None, waiting: Queue[Any], closed: Event) -> bool:
    """Wait until there is room; return False if nobody takes it any more."""
    while not closed.is_set():
        with suppress(Full):
            waiting.put(found, timeout=_POLL_S)
            return True
    return False

"""What a process owes to those around it: ending with its parent, keeping to its threads."""

import ctypes
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from typing import Any

# By which a terminal or a service manager asks a process to end.
ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

_PR_SET_PDEATHSIG = 1  # prctl(2)

# Read by the linear algebra under NumPy when it is loaded.
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def die_with_parent(parent: int | None = None) -> None:
    """Let the kernel end this process when its parent dies, so that no killed run goes on working.

    If the parent is dead already, it ends now. Linux only; elsewhere it does nothing. The death of the thread that
    started this process counts as the parent's.

    Args:
        parent: the id of the process that started this one; without it, whoever is the parent now is taken for it.
    """
    if not sys.platform.startswith("linux"):
        return
    parent = parent or os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def available_cores() -> int:
    """Return how many CPU cores this process may use (its affinity, not the machine's size)."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def pool(processes: int, start: Callable[..., None], *arguments: Any) -> Iterator[ProcessPoolExecutor]:
    """Yield a pool of fresh processes of one thread each, which end with this one; queued work is dropped at the end.

    Args:
        processes: how many, started as work comes in.
        start: called first in each process, with `arguments`; all of it picklable.
        arguments: of `start`.
    """
    context = multiprocessing.get_context("spawn")
    with single_threaded_blas():
        executor = ProcessPoolExecutor(
            processes, context, initializer=_started, initargs=(os.getpid(), start, arguments)
        )
        try:
            yield executor
        finally:
            executor.shutdown(cancel_futures=True)


def _started(parent: int, start: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    die_with_parent(parent)
    start(*arguments)


@contextmanager
def single_threaded_blas() -> Iterator[None]:
    """Give the processes that start meanwhile one thread for linear algebra."""
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def blocked_signals(signals: Collection[signal.Signals]) -> Iterator[None]:
    """Block signals in this thread, and for good in the processes that it starts meanwhile."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)

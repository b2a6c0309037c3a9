"""Processes: parent-death signal, process pools, BLAS threads, blocked signals."""

import ctypes
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from typing import Any

# Sent by a terminal or a service manager to end a process.
ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

_PR_SET_PDEATHSIG = 1  # prctl(2)

# Read by NumPy's BLAS when it is loaded.
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def die_with_parent(parent: int | None = None) -> None:
    """Let the kernel kill this process when its parent dies (at once, if the parent is dead already).

    Linux only; elsewhere it does nothing. The death of the thread that started this process counts as the parent's.

    Args:
        parent: the id of the process that started this one; by default that of the current parent.
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
def process_pool(processes: int, start: Callable[..., None], *arguments: Any) -> Iterator[ProcessPoolExecutor]:
    """Yield a pool of spawned processes of one BLAS thread each, which end with this one.

    Work that is still queued at the end is dropped.

    Args:
        processes: their maximum number; they start as work is submitted.
        start: called first in each process, with `arguments`; all of it picklable.
        arguments: of `start`.
    """
    context = multiprocessing.get_context("spawn")
    with single_threaded_blas():
        executor = ProcessPoolExecutor(
            processes, context, initializer=_initialize, initargs=(os.getpid(), start, arguments)
        )
        try:
            yield executor
        finally:
            executor.shutdown(cancel_futures=True)


def _initialize(parent: int, start: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    die_with_parent(parent)
    start(*arguments)


@contextmanager
def single_threaded_blas() -> Iterator[None]:
    """Limit the processes that are started in this context to one BLAS thread."""
    before = {name: os.environ[name] for name in _THREADS if name in os.environ}
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    try:
        yield
    finally:
        for name in _THREADS:
            del os.environ[name]
        os.environ.update(before)


@contextmanager
def blocked_signals(signals: Collection[signal.Signals]) -> Iterator[None]:
    """Block signals in this thread, and permanently in the processes that it starts in this context."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)

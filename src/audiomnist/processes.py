"""What a process owes to those around it: ending with its parent, keeping to its threads."""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1  # prctl(2)


def end_with_parent() -> None:
    """Let the kernel end this process when its parent dies, so that no killed run goes on working.

    Linux only; elsewhere it does nothing. To be called first of all, by a process whose parent still lives; the
    death of the thread that started it counts as the parent's.
    """
    if not sys.platform.startswith("linux"):
        return
    parent = os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def available_cores() -> int:
    """Return how many CPU cores this process may use (its affinity, not the machine's size)."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1

"""The command `audiomnist score` as a separate process."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from table_files import commits

from audiomnist.scoring.summary import Summary

DEADLINE_S = 180
TRIALS = 20
AUDIOMNIST = (sys.executable, str(Path(__file__).with_name("base_install.py")))
LET_DOWN = (sys.executable, str(Path(__file__).with_name("fault_injection.py")))
AS_NOBODY = (sys.executable, str(Path(__file__).with_name("unprivileged.py")))
IN_SMALL_CHUNKS = (sys.executable, str(Path(__file__).with_name("in_small_chunks.py")))
Process = subprocess.Popen[str]
Found = TypeVar("Found")


class TooLateError(Exception):
    """A run had come too far when a test laid hands on it, as happens on a loaded machine."""


@dataclass(frozen=True)
class Ended:
    """What a process left: its exit status, -N if the signal N ended it, and what it printed."""

    status: int
    out: str
    err: str


@dataclass(frozen=True)
class Scorer:
    """A way to score an inbox into a table; `launcher` are the words before `score`."""

    inbox: Path
    table: Path
    bundle: Path
    batch_size: int = 10
    workers: int = 1
    launcher: tuple[str, ...] = AUDIOMNIST

    @contextmanager
    def started(self, *options: str) -> Iterator[Process]:
        """Start a run in a separate session; at the end kill all that is left of it."""
        with subprocess.Popen(
            self.command(*options),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        ) as process:
            try:
                yield process
            finally:
                kill(members(process))

    def ended(self, *options: str) -> Ended:
        """Carry out a run."""
        with self.started(*options) as process:
            return end_of(process)

    def summary(self, *options: str, status: int = 0) -> Summary:
        """Carry out a run; return its summary, having checked its exit status."""
        return summary_of(self.ended("--json", *options), status)

    def command(self, *options: str) -> list[str]:
        """Return the words of the command."""
        folders = ["--into", str(self.table), "--model", str(self.bundle)]
        sizes = ["--batch-size", str(self.batch_size), "--workers", str(self.workers)]
        return [*self.launcher, "score", str(self.inbox), *folders, *sizes, *options]


def summary_of(ended: Ended, status: int) -> Summary:
    """Return the summary that a run with --json printed, having checked its exit status and its counts."""
    assert ended.status == status, ended
    summary = Summary.model_validate_json(ended.out)
    summary.check()
    return summary


def end_of(process: Process) -> Ended:
    """Wait for the end of a process and of all that writes to its output."""
    out, err = process.communicate(timeout=DEADLINE_S)
    return Ended(process.returncode, out, err)


def killed(process: Process) -> Ended:
    """Kill a process, but not those that it started, which go on if they were held; return what it left."""
    process.send_signal(signal.SIGKILL)
    go_on(process)
    return end_of(process)


def in_time(trial: Callable[[Scorer], Found], scorer: Scorer) -> Found:
    """Carry out a trial in a fresh table, and in another one whenever it raises TooLateError."""
    for number in range(TRIALS):
        with suppress(TooLateError):
            return trial(replace(scorer, table=scorer.table.with_name(f"{scorer.table.name}-{number}")))
    raise AssertionError(f"each of {TRIALS} trials came too late")


@contextmanager
def stopped(process: Process) -> Iterator[None]:
    """Hold a run, and all that it started, where they stand; signals wait meanwhile, but for SIGKILL.

    Raises:
        TooLateError: the run has come to its end.
    """
    _check_alive(process)
    os.killpg(process.pid, signal.SIGSTOP)
    try:
        _check_alive(process)
        wait_until(lambda: all(map(_stands_still, members(process))))
        yield
    finally:
        with suppress(ProcessLookupError):
            go_on(process)


def go_on(process: Process) -> None:
    """Let a run that is held, and all that it started, go on."""
    os.killpg(process.pid, signal.SIGCONT)


@contextmanager
def stopped_between(scorer: Scorer, process: Process, least: int, most: int) -> Iterator[None]:
    """Hold a run that has made so many commits; raises TooLateError if there are more than `most` by then."""
    wait_until(lambda: commits(scorer.table) >= least or process.poll() is not None)
    with stopped(process):
        if commits(scorer.table) > most:
            raise TooLateError
        yield


def wait_until(condition: Callable[[], Found]) -> Found:
    """Wait until a condition holds; return what made it hold."""
    deadline = time.monotonic() + DEADLINE_S
    while not (found := condition()):
        assert time.monotonic() < deadline, f"did not come about in {DEADLINE_S} s"
        time.sleep(0.001)
    return found


def wait_for_workers(process: Process, count: int = 1) -> None:
    """Wait until a run has started so many workers; raises TooLateError if it has come to its end."""
    wait_until(lambda: len(workers(process)) >= count or process.poll() is not None)
    _check_alive(process)


def wait_for_the_last(process: Process) -> None:
    """Wait until all processes of a session are dead."""
    wait_until(lambda: not members(process))


def members(process: Process) -> list[int]:
    """Return the ids of the processes of a session that are not yet dead: the process that began it comes first."""
    pids = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
    return sorted(pid for pid in pids if _session(pid) == process.pid)


def workers(process: Process) -> list[int]:
    """Return the ids of a run's workers."""
    return [pid for pid in members(process) if b"multiprocessing-fork" in _read(pid, "cmdline")]


def holds(pid: int, place: Path) -> bool:
    """Return whether a process has a file open."""
    try:
        return place in [entry.readlink() for entry in Path("/proc", str(pid), "fd").iterdir()]
    except (FileNotFoundError, ProcessLookupError):
        return False


def is_asleep(pid: int) -> bool:
    """Return whether a process waits for something."""
    return _read(pid, "stat").rpartition(b") ")[2].startswith(b"S")


def is_stopped(pid: int) -> bool:
    """Return whether a process was held by SIGSTOP."""
    return _read(pid, "stat").rpartition(b") ")[2].startswith(b"T")


def kill(pids: list[int]) -> int:
    """Kill processes, some of which may be dead; return how many were not."""
    killed_pids = 0
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            killed_pids += 1
    return killed_pids


def _check_alive(process: Process) -> None:
    if process.poll() is not None:
        raise TooLateError


def _stands_still(pid: int) -> bool:
    """Return whether no thread of a process runs, or sleeps and could be woken."""
    threads = [entry.name for entry in Path("/proc", str(pid), "task").glob("*")]
    states = {_read(pid, f"task/{thread}/stat").rpartition(b") ")[2][:1] for thread in threads}
    return states.isdisjoint({b"R", b"S"})


def _session(pid: int) -> int | None:
    """Return the session of a process, None if it is dead, as a zombie is."""
    state, *numbers = _read(pid, "stat").rpartition(b") ")[2].split() or [b"Z"]
    return None if state == b"Z" else int(numbers[2])


def _read(pid: int, name: str) -> bytes:
    try:
        return Path("/proc", str(pid), name).read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""

"""The command `audiomnist score` as a process of its own."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from audiomnist.scoring.summary import Summary

DEADLINE_S = 60
AUDIOMNIST = (sys.executable, "-m", "audiomnist")
LET_DOWN = (sys.executable, str(Path(__file__).with_name("let_down.py")))
AS_NOBODY = (sys.executable, str(Path(__file__).with_name("as_nobody.py")))
Process = subprocess.Popen[str]


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
        """Start a run in a session of its own; at the end kill all that is left of it."""
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
    summary = Summary.from_json(ended.out)
    summary.check()
    return summary


def end_of(process: Process) -> Ended:
    """Wait for the end of a process and of all that writes to its output."""
    out, err = process.communicate(timeout=DEADLINE_S)
    return Ended(process.returncode, out, err)


def killed(process: Process) -> Ended:
    """Kill a process, but not those that it started; return what it left."""
    process.send_signal(signal.SIGKILL)
    return end_of(process)


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, f"did not come about in {DEADLINE_S} s"
        time.sleep(0.001)


def wait_for_workers(process: Process, count: int = 1) -> None:
    """Wait until a run has started so many processes that label."""
    wait_until(lambda: len(workers(process)) >= count)


def wait_for_the_last(process: Process) -> None:
    """Wait until all processes of a session are dead."""
    wait_until(lambda: not members(process))


def members(process: Process) -> list[int]:
    """Return the ids of the processes of a session that are not yet dead: the process that began it comes first."""
    pids = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
    return sorted(pid for pid in pids if _session(pid) == process.pid)


def workers(process: Process) -> list[int]:
    """Return the ids of a run's processes that label, or are about to."""
    return [pid for pid in members(process) if b"multiprocessing-fork" in _read(pid, "cmdline")]


def labelling(process: Process) -> list[int]:
    """Return the ids of those among them that have a FLAC file in hand, for which each has a child of its own."""
    decoders = [pid for pid in members(process) if b"decoding_child" in _read(pid, "cmdline")]
    return [parent for parent in map(_parent, decoders) if parent in workers(process)]


def holds(pid: int, place: Path) -> bool:
    """Return whether a process has a file open, or any file below a folder."""
    try:
        opened = [entry.readlink() for entry in Path("/proc", str(pid), "fd").iterdir()]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return any(path.is_relative_to(place) for path in opened)


def is_asleep(pid: int) -> bool:
    """Return whether a process waits for something."""
    return _read(pid, "stat").rpartition(b") ")[2].startswith(b"S")


def kill(pids: list[int]) -> None:
    """Kill processes, some of which may be dead."""
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def _session(pid: int) -> int | None:
    """Return the session of a process, None if it is dead."""
    return _numbers(pid)[2]


def _parent(pid: int) -> int | None:
    return _numbers(pid)[0]


def _numbers(pid: int) -> Sequence[int | None]:
    """Return parent, process group and session of a process; None of each if it is dead, as a zombie is."""
    state, *numbers = _read(pid, "stat").rpartition(b") ")[2].split() or [b"Z"]
    return (None, None, None) if state == b"Z" else [*map(int, numbers[:3])]


def _read(pid: int, name: str) -> bytes:
    try:
        return Path("/proc", str(pid), name).read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""

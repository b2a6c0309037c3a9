"""What a process owes to those around it."""

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from audiomnist.core import params, processes
from audiomnist.core.params import ParamsError

DEADLINE_S = 60
# A child that echoes its input until there is no more of it; it says when it is ready.
CHILD = """
import sys
from audiomnist.core.processes import die_with_parent
if sys.argv[1] == "dutiful":
    die_with_parent()
print("ready", flush=True)
for line in sys.stdin:
    print(line, end="", flush=True)
"""
PARENT = """
import subprocess, sys
subprocess.run([sys.executable, "-c", *sys.argv[1:]])
"""
ON_ONE_CORE = """
import os
from audiomnist.core.processes import available_cores
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
print(available_cores())
"""
# A parent whose pool has long work; each process says when it has begun.
POOL = """
import os
import time
from audiomnist.core.processes import process_pool
with process_pool(2, os.write, 1, b"ready\\n") as started:
    for _ in range(2):
        started.submit(time.sleep, 600)
"""
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
MARK = "AUDIOMNIST_TEST_MARK"


def mark(value: str) -> None:
    """Leave a mark in this process."""
    os.environ[MARK] = value


def settings() -> dict[str, str | None]:
    """Return the thread settings of this process, and its mark."""
    return {name: os.environ.get(name) for name in (*THREADS, MARK)}


def wait_for(file: Path) -> None:
    """Wait until there is a file; no longer than a deadline."""
    deadline = time.monotonic() + DEADLINE_S
    while not file.exists() and time.monotonic() < deadline:
        time.sleep(0.01)


@contextmanager
def running(script: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a script with pipes to it; it is killed at the end."""
    command, pipe = [sys.executable, "-c", script, *arguments], subprocess.PIPE
    with subprocess.Popen(command, bufsize=0, stdin=pipe, stdout=pipe) as process:
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def a_killed_parents_child(child: str) -> Iterator[subprocess.Popen[bytes]]:
    """Start a process with a child on the same pipes, and kill the parent with SIGKILL once the child is ready."""
    with running(PARENT, CHILD, child) as parent:
        assert next_line(parent) == b"ready\n"
        parent.send_signal(signal.SIGKILL)
        assert parent.wait(DEADLINE_S) == -signal.SIGKILL
        yield parent


def next_line(process: subprocess.Popen[bytes]) -> bytes:
    """Return the next line of the pipe, b"" if nobody holds its other end; fails after a deadline.

    It is read byte by byte: nothing waits in a buffer of this process, where select does not see it.
    """
    assert process.stdout is not None
    line = b""
    while not line.endswith(b"\n"):
        readable, _, _ = select.select([process.stdout], [], [], DEADLINE_S)
        assert readable, f"neither a line nor an end in {DEADLINE_S} s"
        byte = os.read(process.stdout.fileno(), 1)
        if not byte:
            break
        line += byte
    return line


def test_a_child_ends_with_its_killed_parent() -> None:
    """SIGKILL leaves the parent no time to say so; the child's end of the pipe closes all the same."""
    with a_killed_parents_child("dutiful") as pipes:
        assert next_line(pipes) == b""


def test_without_the_call_a_child_outlives_its_parent() -> None:
    """It still echoes after the parent's death: it is the call that ends it."""
    with a_killed_parents_child("careless") as pipes:
        assert pipes.stdin is not None
        pipes.stdin.write(b"still here\n")
        assert next_line(pipes) == b"still here\n"


def test_elsewhere_than_on_linux_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    """The call is no error where the kernel has no such service."""
    monkeypatch.setattr(sys, "platform", "darwin")
    processes.die_with_parent()


def test_cores_are_those_that_the_process_may_use() -> None:
    """A process that is bound to one core counts one, however many the machine has."""
    counted = subprocess.run([sys.executable, "-c", ON_ONE_CORE], capture_output=True, check=True, text=True)
    assert int(counted.stdout) == 1
    assert 1 <= processes.available_cores() <= (os.cpu_count() or 1)


def test_a_pools_processes_end_with_their_killed_parent() -> None:
    """In the middle of their work: both ends of the pipe close."""
    with running(POOL) as parent:
        assert [next_line(parent), next_line(parent)] == [b"ready\n", b"ready\n"]
        parent.send_signal(signal.SIGKILL)
        assert next_line(parent) == b""


def test_a_pools_processes_have_one_thread_each_and_are_initialized(monkeypatch: pytest.MonkeyPatch) -> None:
    """This process keeps its own settings, those that it lacks included."""
    monkeypatch.setenv(THREADS[0], "7")
    monkeypatch.setenv(THREADS[1], "5")
    monkeypatch.delenv(THREADS[2], raising=False)
    before = settings()
    with processes.process_pool(1, mark, "here") as started:
        found = started.submit(settings).result(DEADLINE_S)
    assert found == {**dict.fromkeys(THREADS, "1"), MARK: "here"}
    assert settings() == before


def test_a_pool_that_is_left_drops_what_is_queued(tmp_path: Path) -> None:
    """What has not begun by then never does: the process is busy with the first until the last is dropped."""
    dropped = tmp_path / "dropped"
    with processes.process_pool(1, mark, "here") as started:
        busy = started.submit(wait_for, dropped)
        queued = [started.submit(Path.touch, tmp_path / str(number)) for number in range(100)]
        queued[-1].add_done_callback(lambda _: dropped.touch())
    assert all(future.done() for future in (busy, *queued))
    assert queued[-1].cancelled()
    assert not (tmp_path / "99").exists()


def test_a_pool_raises_the_error_of_its_process_unchanged() -> None:
    """With its message."""
    with (
        processes.process_pool(1, mark, "here") as started,
        pytest.raises(ParamsError, match=r"nowhere\.yaml cannot be read"),
    ):
        started.submit(params.read, Path("nowhere.yaml")).result(DEADLINE_S)

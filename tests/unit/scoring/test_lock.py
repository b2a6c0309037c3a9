"""One run at a time holds a table, and a dead one never does."""

import os
import re
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from score_process import holds, wait_until

from audiomnist.scoring.shutdown import Stop
from audiomnist.scoring.table.location import TableWriteError
from audiomnist.scoring.table.lock import LockedError, held

DEADLINE_S = 20
NOBODY = 65534
# Prints when it holds the lock, and holds it until its input ends.
HOLDER = """
import sys
from pathlib import Path
from audiomnist.scoring.table.lock import held
with held(Path(sys.argv[1]), wait=sys.argv[2] == "wait"):
    print("held", flush=True)
    sys.stdin.read()
"""
# Starts a program that is to outlive it, with every descriptor that can be inherited, then waits to be killed.
PARENT = """
import subprocess, sys
from pathlib import Path
from audiomnist.scoring.table.lock import held
with held(Path(sys.argv[1]), wait=False):
    child = "import sys; print('child', flush=True); sys.stdin.read()"
    subprocess.Popen([sys.executable, "-c", child], close_fds=False)
    sys.stdin.read()
"""
# Waits again and again for what another process holds; a signal falls into a later line of Python each time.
SIGNALLED = """
import signal, sys
from pathlib import Path
from audiomnist.scoring.table import lock
from audiomnist.scoring.shutdown import stoppable

lock._RETRY_EVERY_S = 0.001
steps = 0

def trace(frame, event, argument):
    global steps
    steps -= event == "line"
    if steps == 0:
        signal.raise_signal(signal.SIGTERM)
    return trace

for line in range(1, 301):
    try:
        with stoppable() as stop:
            steps = line
            sys.settrace(trace)
            with lock.held(Path(sys.argv[1]), wait=True, stop=stop):
                pass
    except KeyboardInterrupt:
        sys.settrace(None)
print("ended 300 times")
"""
UNPRIVILEGED = """
import os, sys
from pathlib import Path
from audiomnist.scoring.table.lock import held
from audiomnist.scoring.table.location import TableWriteError
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
try:
    with held(Path(sys.argv[1]), wait=False):
        print("held")
except TableWriteError as error:
    print(error)
"""


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A folder that does not exist, for a table."""
    return tmp_path / "on" / "the way" / "table"


@contextmanager
def started(script: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """Run a script in another process; kill it at the end."""
    command = [sys.executable, "-c", script, *map(str, arguments)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def line_of(process: subprocess.Popen[str]) -> str:
    """Return the next line that a process prints."""
    assert process.stdout is not None
    readable, _, _ = select.select([process.stdout], [], [], DEADLINE_S)
    assert readable, f"not a line in {DEADLINE_S} s"
    return process.stdout.readline()


def test_a_second_run_learns_who_holds_the_table(table: Path) -> None:
    """Process, host and since when; and what to do about it."""
    begun = datetime.now(UTC).replace(microsecond=0)
    with started(HOLDER, table, "") as holder:
        assert line_of(holder) == "held\n"
        with pytest.raises(LockedError) as caught, held(table, wait=False):
            pass
    match = re.fullmatch(
        r"another run \(pid (\d+) on (.+), since (.+)\) holds the table (.+): wait for its end, as score --wait does",
        str(caught.value),
    )
    assert match is not None
    assert (match[1], match[2], match[4]) == (str(holder.pid), socket.gethostname(), str(table))
    assert begun <= datetime.fromisoformat(match[3]) <= datetime.now(UTC)


def test_the_same_process_cannot_hold_it_twice(table: Path) -> None:
    """But one time after another."""
    for _ in range(2):
        with held(table, wait=False), pytest.raises(LockedError, match=f"pid {os.getpid()} "), held(table, wait=False):
            pass


def test_an_error_releases_it(table: Path) -> None:
    """As when the run was interrupted."""
    with pytest.raises(KeyboardInterrupt), held(table, wait=False):
        raise KeyboardInterrupt
    with held(table, wait=False):
        pass


def test_who_waits_gets_it_in_the_end(table: Path) -> None:
    """And then holds it."""
    with started(HOLDER, table, "") as first:
        assert line_of(first) == "held\n"
        with started(HOLDER, table, "wait") as second:
            assert second.stdout is not None
            wait_until(lambda: holds(second.pid, table / "_audiomnist.lock"))
            assert select.select([second.stdout], [], [], 1)[0] == []
            assert first.stdin is not None
            first.stdin.close()
            assert line_of(second) == "held\n"
            with pytest.raises(LockedError, match=f"pid {second.pid} "), held(table, wait=False):
                pass


def test_waiting_ends_when_it_is_asked_to(table: Path) -> None:
    """Ctrl-C does not have to wait for the other run."""
    stop = Stop()
    stop.requested = True
    with held(table, wait=False), pytest.raises(KeyboardInterrupt), held(table, wait=True, stop=stop):
        pass


def test_a_signal_ends_the_waiting_wherever_it_falls(table: Path) -> None:
    """Also between any two lines of what is waited with."""
    with held(table, wait=False), started(SIGNALLED, table) as waiting:
        assert line_of(waiting) == "ended 300 times\n"


def test_the_lock_of_a_killed_run_is_taken_over(table: Path) -> None:
    """Its file is still there and names it, but the kernel knows better."""
    with started(HOLDER, table, "") as holder:
        assert line_of(holder) == "held\n"
        holder.send_signal(signal.SIGKILL)
        assert holder.wait(DEADLINE_S) == -signal.SIGKILL
        assert str(holder.pid) in (table / "_audiomnist.lock").read_text(encoding="utf-8")
        with held(table, wait=False):
            pass


def test_a_program_that_the_run_started_does_not_inherit_it(table: Path) -> None:
    """A decoder that outlives its killed parent does not keep the next run out."""
    with started(PARENT, table) as parent:
        assert line_of(parent) == "child\n"
        parent.send_signal(signal.SIGKILL)
        assert parent.wait(DEADLINE_S) == -signal.SIGKILL
        with held(table, wait=False):
            assert parent.stdout is not None
            assert select.select([parent.stdout], [], [], 0)[0] == []


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"pid": 1}', "\0\0"])
def test_a_holder_that_has_not_yet_signed_holds_it_all_the_same(table: Path, text: str) -> None:
    """Whatever the file contains, the kernel decides."""
    with held(table, wait=False):
        (table / "_audiomnist.lock").write_text(text, encoding="utf-8")
        with pytest.raises(LockedError, match=r"another run \(which has just begun\) holds"), held(table, wait=False):
            pass


def test_a_longer_former_signature_is_replaced(table: Path) -> None:
    """Nothing of it stays behind the new one."""
    table.mkdir(parents=True)
    (table / "_audiomnist.lock").write_text("x" * 1000, encoding="utf-8")
    with held(table, wait=False), pytest.raises(LockedError, match=r"\(pid \d+ on "), held(table, wait=False):
        pass


def test_a_folder_that_may_only_be_read_is_reported() -> None:
    """For a user without write permission."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o555)
        with started(UNPRIVILEGED, Path(name, "table")) as process:
            output, _ = process.communicate(timeout=DEADLINE_S)
    assert re.search(r"table cannot be written: .*Permission denied.* Fix that and run again", output)


def test_a_file_in_the_place_of_the_folder_is_reported(tmp_path: Path) -> None:
    """It is not touched."""
    (tmp_path / "table").write_text("mine", encoding="utf-8")
    with (
        pytest.raises(TableWriteError, match=r"table cannot be written: .*File exists"),
        held(tmp_path / "table", wait=True),
    ):
        pass
    assert (tmp_path / "table").read_text(encoding="utf-8") == "mine"

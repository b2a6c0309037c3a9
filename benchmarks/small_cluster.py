"""A Ray cluster of several nodes on this machine, each a few processes that can be killed together."""

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import audiomnist

_DEADLINE_S = 120
_SOURCES = str(Path(audiomnist.__file__).parents[1])
_RAY_START = (sys.executable, "-m", "ray.scripts.scripts", "start", "--block")

Process = subprocess.Popen[bytes]


class SmallCluster:
    """A head without CPUs, and nodes of one CPU each.

    Attributes:
        address: of the head, which a command on this machine connects to.
        environment: of a command that connects to it; it has the secret.
        nodes: the processes that started the nodes, and whose sessions these are.
    """

    def __init__(self, folder: Path) -> None:
        """Start the head; its files go into a folder with a short path."""
        port = free_port()
        self.address = f"127.0.0.1:{port}"
        self.environment = os.environ | {
            "PYTHONPATH": os.pathsep.join([_SOURCES, os.environ.get("PYTHONPATH", "")]),
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": secrets.token_hex(32),
            "RAY_USAGE_STATS_ENABLED": "0",
        }
        self.nodes: list[Process] = []
        self._folder = folder
        options = ["--head", "--port", str(port), "--include-dashboard", "false", "--num-cpus", "0"]
        self._head = self._started([*options, "--temp-dir", str(folder)])

    def add_node(self) -> None:
        """Start a node of one CPU."""
        self.nodes.append(self._started(["--address", self.address, "--num-cpus", "1"]))

    def kill_node(self) -> None:
        """Kill all processes of the first node."""
        _kill(self.nodes.pop(0))

    def end(self) -> None:
        """Kill what is left."""
        for node in [*self.nodes, self._head]:
            _kill(node)

    def _started(self, options: list[str]) -> Process:
        log = self._folder / f"{time.monotonic_ns()}.log"
        address = ["--node-ip-address", "127.0.0.1"]
        with log.open("wb") as output:
            node = subprocess.Popen(
                [*_RAY_START, *address, *options],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=self.environment,
                start_new_session=True,
            )
        deadline = time.monotonic() + _DEADLINE_S
        while "Ray runtime started" not in log.read_text(encoding="utf-8", errors="replace"):
            if node.poll() is not None or time.monotonic() > deadline:
                _kill(node)
                raise RuntimeError(log.read_text(encoding="utf-8", errors="replace"))
            time.sleep(0.05)
        return node


@contextmanager
def small_cluster(nodes: int) -> Iterator[SmallCluster]:
    """Yield a cluster with so many nodes beside the head; its processes and files are gone at the end."""
    with TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as folder, ExitStack() as stack:
        cluster = SmallCluster(Path(folder))
        stack.callback(cluster.end)
        for _ in range(nodes):
            cluster.add_node()
        yield cluster


def free_port() -> int:
    """Return a port of this machine that nothing listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def session(process: Process) -> list[int]:
    """Return the ids of all processes of a node that are not dead."""
    pids = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
    return [pid for pid in pids if _session(pid) == process.pid]


def _session(pid: int) -> int | None:
    try:
        state, *numbers = Path("/proc", str(pid), "stat").read_bytes().rpartition(b") ")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if state == b"Z" else int(numbers[2])


def _kill(node: Process) -> None:
    while pids := session(node):
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)
    node.wait()

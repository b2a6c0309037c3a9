"""Running a program in a fresh process: how long it takes, and how much memory."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from audiomnist.core.errors import AudiomnistError
from benchmarks.memory import Peaks, watched


class BenchmarkError(AudiomnistError):
    """Something cannot be measured."""


@dataclass(frozen=True)
class Outcome:
    """What a program took, and what it printed to its standard output.

    Attributes:
        seconds: wall time, from before its start until it was gone.
        peaks: its memory; empty unless it was watched.
        output: what it printed.
    """

    seconds: float
    peaks: Peaks
    output: str


def python(*arguments: str | Path, core: int | None = None) -> list[str]:
    """Return the command that starts this Python with arguments, on one core alone if it is named."""
    pinned = [] if core is None else ["taskset", "--cpu-list", str(core)]
    return [*pinned, sys.executable, *map(str, arguments)]


def run(command: Sequence[str], checkout: Path, *, watch: bool = False) -> Outcome:
    """Run a program in a checkout.

    Args:
        command: the program and its arguments.
        checkout: the folder that it is started in.
        watch: whether to look up its memory, which costs a little time.

    Raises:
        BenchmarkError: it ended with another status than 0.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
        start = time.perf_counter()
        with subprocess.Popen(command, cwd=checkout, stdout=out, stderr=errors) as process:
            with watched(process.pid) if watch else nullcontext(Peaks()) as peaks:
                status = process.wait()
            seconds = time.perf_counter() - start
        out.seek(0)
        errors.seek(0)
        if status:
            raise BenchmarkError(f"{' '.join(command)} ended with status {status}: {errors.read().decode()[-500:]}")
        return Outcome(seconds, peaks, out.read().decode())


def first_core() -> int:
    """Return the first of the cores that this process may use."""
    return min(os.sched_getaffinity(0))

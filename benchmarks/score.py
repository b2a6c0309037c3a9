"""`audiomnist score` in fresh processes and into new tables: beside its peers, and as the inbox grows."""

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from itertools import product
from pathlib import Path
from threading import Thread
from typing import Any

from audiomnist.core.processes import available_cores
from audiomnist.serving.bundle.description import describe
from benchmarks import peers
from benchmarks.rounds import BenchmarkError, Round, Setting, interleaved, summary, with_ratios

_EVERY_S = 0.05
# The least difference of two times that counts.
_RESOLUTION_S = 1e-3
_PEERS = ("notebook", "dataloader", "batched_torch", "one_core")


def measure(setting: Setting) -> dict[str, Any]:
    """Return start-up times and files per second, on all cores and on one, with ratios to the peers."""
    files, cores = setting.size(40_000, 300), available_cores()
    description, version = describe(setting.model)
    peer = peers.untrained(description)
    paths = sorted(setting.inbox(files).rglob("*.wav"))[: setting.size(1_000, 12)]
    one = min(os.sched_getaffinity(0))
    ours = [
        partial(_timed, setting, "seconds", files),
        partial(_timed, setting, "first_label_s", 1),
        partial(_timed, setting, "empty_inbox_s", 0),
        partial(_timed, setting, "one_core_seconds", files, one),
        partial(_timed, setting, "one_core_first_label_s", 1, one),
    ]
    with peers.at_work(peer, paths, cores) as others:
        rounds = interleaved([*ours, *others], setting.repetitions, "score")
    return {
        "model": description.model,
        "model_version": version,
        "threads": cores,
        "files": files,
        "peers_files": len(paths),
        "peers_parameters": sum(weights.numel() for weights in peer.network.parameters()),
        "peers_network_is_served": True,
        **summary([_compared(values, files) for values in rounds]),
    }


def growth(setting: Setting) -> dict[str, Any]:
    """Return time, memory and table of inboxes up to a hundred thousand files, and of second runs on them."""
    sizes = (20, 40) if setting.is_quick else (1_000, 10_000, 100_000)
    return _growth(setting, sizes, setting.repetitions)


def million(setting: Setting) -> dict[str, Any]:
    """Return the same for a million files and for ten thousand, once each."""
    return _growth(setting, (20, 60) if setting.is_quick else (10_000, 1_000_000), repetitions=1)


def rate(files: int, seconds: float, seconds_of_one: float) -> float:
    """Return files per second without start-up: of all files but one, in the time beyond that of one file."""
    return (files - 1) / max(seconds - seconds_of_one, _RESOLUTION_S)


def _timed(setting: Setting, name: str, files: int, core: int | None = None) -> Round:
    with tempfile.TemporaryDirectory(dir=setting.work) as folder:
        return {name: run(_command(setting, files, Path(folder), core))["seconds"]}


def _command(setting: Setting, files: int, folder: Path, core: int | None = None) -> list[str]:
    """Return the command that scores so many files into a folder's table, on one core only if it is named."""
    pinned = [] if core is None else ["taskset", "--cpu-list", str(core)]
    inbox, table = str(setting.inbox(files)), str(folder / "table")
    scoring = [sys.executable, "-m", "audiomnist", "score", inbox, "--into", table, "--model", str(setting.model)]
    return [*pinned, *scoring, "--json"]


def _compared(values: Round, files: int) -> Round:
    rates = {
        "files_per_s": rate(files, values["seconds"], values["first_label_s"]),
        "one_core_files_per_s": rate(files, values["one_core_seconds"], values["one_core_first_label_s"]),
    }
    return with_ratios(rates | values, "files_per_s", _PEERS)


def _growth(setting: Setting, sizes: Sequence[int], repetitions: int) -> dict[str, Any]:
    measures = [partial(_timed, setting, "first_label_s", 1), *(partial(_grown, setting, files) for files in sizes)]
    rounds = interleaved(measures, repetitions, f"growth to {sizes[-1]:,} files")
    for values, files in product(rounds, sizes):
        values[f"files_{files}.files_per_s"] = rate(files, values[f"files_{files}.seconds"], values["first_label_s"])
    return {"threads": available_cores(), **summary(rounds)}


def _grown(setting: Setting, files: int) -> Round:
    """Score an inbox into a new table, and again into the same table."""
    with tempfile.TemporaryDirectory(dir=setting.work) as folder:
        command = _command(setting, files, Path(folder))
        first, again = (run(command, watch=True) for _ in range(2))
        table_mb = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file()) / 1e6
    values = first | {"table_mb": table_mb} | {f"nothing_new.{name}": value for name, value in again.items()}
    return {f"files_{files}.{name}": value for name, value in values.items()}


def run(command: Sequence[str], *, watch: bool = False) -> Round:
    """Run a program; return its wall time, and if wanted the peaks of resident pages of its processes.

    Raises:
        BenchmarkError: its status is not 0.
    """
    peaks: dict[int, int] = {}
    start = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        if watch:
            Thread(target=_watch, args=(process.pid, peaks)).start()
        _, errors = process.communicate()
    seconds = time.perf_counter() - start
    if process.returncode:
        raise BenchmarkError(f"{' '.join(command)} ended with status {process.returncode}: {errors.decode()[-500:]}")
    if not watch:
        return {"seconds": seconds}
    largest, total = max(peaks.values()), sum(peaks.values())
    return {"seconds": seconds, "largest_process_mb": largest / 1e6, "all_processes_mb": total / 1e6}


def _watch(process: int, peaks: dict[int, int]) -> None:
    while Path(f"/proc/{process}").exists():
        _look(process, peaks)
        time.sleep(_EVERY_S)


def _look(process: int, peaks: dict[int, int]) -> None:
    """Note the peak of a process and of all below it, in bytes by process, unless they end meanwhile."""
    folder = Path(f"/proc/{process}")
    with suppress(OSError):
        if peak := re.search(r"^VmHWM:\s*(\d+) kB$", (folder / "status").read_text(), re.MULTILINE):
            peaks[process] = int(peak[1]) * 1024
        for children in folder.glob("task/*/children"):
            for child in children.read_text().split():
                _look(int(child), peaks)

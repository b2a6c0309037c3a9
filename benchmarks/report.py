"""The file of figures, with the machine that they were measured on, and the table of them on the page about speed."""

import json
import os
import platform
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from audiomnist.core import atomic
from audiomnist.core.processes import available_cores
from audiomnist.report.tables import ResultTable
from benchmarks.rounds import BenchmarkError

START, END = "<!-- benchmark: make benchmark -->\n", "<!-- /benchmark -->"

_HEAD = ("measured", "here", "beside it", "ratio", "cores")
_CPUS = Path("/proc/cpuinfo")
_LIBRARIES = (
    *("ctranslate2", "deltalake", "faster-whisper", "librosa", "numpy", "onnxruntime"),
    *("pyarrow", "soundfile", "SpeechRecognition", "torch", "torchaudio"),
)


class Line(NamedTuple):
    """A line of the table: its title, a section of the report, and names in it, with dots between nested ones."""

    title: str
    section: str
    ours: str
    beside: str = ""
    ratio: str = ""


def _beside(title: str, section: str, rate: str, peers: Mapping[str, str], ours: str = "") -> list[Line]:
    """Return a line per peer, with the names of `benchmarks.rounds.with_ratios`."""
    return [
        Line(f"{title}, beside {name}", section, f"{ours}{rate}", f"{peer}_{rate}", f"{ours}ratio_to_{peer}")
        for peer, name in peers.items()
    ]


_SCORERS = {"notebook": "the notebook style", "dataloader": "the DataLoader style", "batched_torch": "batched torch"}
_LIBRARY_MFCCS = {"librosa": "librosa", "torchaudio": "torchaudio"}
_SPEECH_RECOGNITION = {"faster_whisper": "`recognize_faster_whisper`"}
_GROWTH = {
    "files, files/s": "files_per_s",
    "files, largest process, MB": "largest_process_mb",
    "files, all processes, MB": "all_processes_mb",
    "files, table, MB": "table_mb",
    "files known, a run that finds nothing new, s": "nothing_new.seconds",
    "files known, largest process, MB": "nothing_new.largest_process_mb",
}
LINES = [
    *_beside("scoring a folder, files/s", "score", "files_per_s", _SCORERS | {"one_core": "one core"}),
    Line("start-up to the first label, s", "score", "first_label_s"),
    Line("empty inbox, s", "score", "empty_inbox_s"),
    *_beside("MFCCs, clips/s", "mfcc", "clips_per_s", _LIBRARY_MFCCS),
    *_beside("MFCCs of the served graph, clips/s", "mfcc", "clips_per_s", _LIBRARY_MFCCS, "rounded_"),
    *_beside("transcription, clips per CPU second", "transcription", "clips_per_cpu_s", _SPEECH_RECOGNITION),
    Line(
        "transcription, digits found, beside `recognize_faster_whisper`",
        "transcription",
        "found_of_peers_clips",
        "faster_whisper_found",
    ),
    *(
        Line(f"{files:,} {title}", section, f"files_{files}.{name}")
        for section, files in (("growth", 1_000), ("growth", 10_000), ("growth", 100_000), ("million", 1_000_000))
        for title, name in _GROWTH.items()
    ),
]


def machine() -> dict[str, Any]:
    """Return the CPU's model, the cores that this process may use, memory in GB, and versions."""
    named = re.search(r"^model name\s*: (.+)$", _CPUS.read_text() if _CPUS.is_file() else "", re.MULTILINE)
    return {
        "cpu": named[1] if named else platform.processor() or platform.machine(),
        "cores": available_cores(),
        "memory_gb": round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9, 1),
        "system": platform.system(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "libraries": {name: version(name) for name in _LIBRARIES},
    }


def code_revision() -> str | None:
    """Return the commit of the checkout, with `-dirty` after it if files differ; None without git."""
    if (git := shutil.which("git")) is None:
        return None
    command = [git, "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip() or None


def read(path: Path) -> dict[str, Any]:
    """Return a report; an empty one where there is none."""
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}


def updated(former: Mapping[str, Any], machine: Mapping[str, Any], sections: Mapping[str, Any]) -> dict[str, Any]:
    """Return a report with new sections, and the others of a former one if machine and libraries are the same."""
    return {**(former if former.get("machine") == machine else {}), "machine": machine, **sections}


def show(page: Path, report: Mapping[str, Any]) -> None:
    """Put the table of a report between the markers of a page; see `replace_between` for the error."""
    replace_between(page, START, END, table(report))


def replace_between(page: Path, start: str, end: str, text: str) -> None:
    """Replace what is between two markers of a page; raises BenchmarkError if it has not each of them once."""
    before, has_start, rest = page.read_text(encoding="utf-8").partition(start)
    _, has_end, after = rest.partition(end)
    if not (has_start and has_end) or start in after or end in after:
        raise BenchmarkError(f"{page} must have the lines {start.strip()} and {end} once each, in this order")
    atomic.write_text(page, f"{before}{start}{text}\n{end}{after}")


def table(report: Mapping[str, Any]) -> str:
    """Return the machine in a sentence, and a Markdown table of the figures that the report has, with their spread."""
    on = report["machine"]
    libraries = ", ".join(f"{name} {number}" for name, number in on["libraries"].items())
    described = f"{on['cpu']}, {on['cores']} cores, {on['memory_gb']} GB, Python {on['python']}; {libraries}."
    return f"{described}\n\n{ResultTable(_HEAD, [*_rows(report)]).markdown()}"


def _rows(report: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for title, name, *figures in LINES:
        section = report.get(name, {})
        shown = [_figure(section, figure) for figure in figures]
        if shown[0]:
            yield title, *shown, str(section["threads"])


def _figure(section: Mapping[str, Any], name: str) -> str:
    """Return a median with the least and the greatest behind it, "" if there is none."""
    value: Any = section
    for key in name.split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    spread = section.get("spread", {}).get(name)
    between = f" ({spread[0]:,g} to {spread[1]:,g})" if spread else ""
    return "" if value is None else f"{value:,g}{between}"

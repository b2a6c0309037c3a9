"""CPU time per file of `audiomnist score` for each served model, and what accuracy on unseen speakers it buys.

`python -m benchmarks.cost` measures, in a checkout in which `dvc repro` and `make protocols` have run, and writes
`reports/cost.json`, a chart, and the table in docs/results.md. There is one worker, and the time of a run with one
file, which is start-up, is subtracted. A cascade's cost at a threshold is that of its first model and, for the share of
clips that are asked about, that of its second.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from audiomnist.core import atomic
from audiomnist.core.errors import AudiomnistError
from audiomnist.evaluation.names import TITLES
from audiomnist.evaluation.plots import BLUE, ORANGE, save
from audiomnist.report.tables import ResultTable
from benchmarks import report
from benchmarks.rounds import BenchmarkError, Round, Setting, interleaved, recordings, summary

_SERVED = Path("models/served")
_FILES = {"cnn": 6_000, "rnn": 6_000, "lstm": 200, "whisper": 600, "cascade": 6_000}
_ROUNDS = 3
UNSEEN, THRESHOLDS = Path("reports/unseen.json"), Path("reports/plots/cascade/unseen.csv")
REPORT, _CHART, PAGE = Path("reports/cost.json"), Path("reports/plots/cost.png"), Path("docs/results.md")
MARKERS = "<!-- cost: python -m benchmarks.cost -->\n", "<!-- /cost -->"
_HEAD = ("model", "unseen speakers, mean", "worst", "asked", "files/s per core")


def main() -> None:
    """Measure, and write report, chart and table."""
    with tempfile.TemporaryDirectory(prefix="audiomnist-cost-") as work:
        cost = measure(Setting(Path(work), _SERVED, recordings(Path(work)), _ROUNDS, is_quick=False))
    atomic.write_json(REPORT, {"machine": report.machine(), "code_revision": report.code_revision(), **cost})
    rows = points(cost, UNSEEN, THRESHOLDS)
    plot(rows, _CHART)
    report.replace_between(PAGE, *MARKERS, table(rows).markdown())


def measure(setting: Setting) -> dict[str, Any]:
    """Return milliseconds of CPU time per file of each model, on recordings of known speakers."""
    measures = [
        partial(_cost, replace(setting, model=_SERVED / name), name, setting.size(files, 4))
        for name, files in _FILES.items()
    ]
    return {"workers": 1, "files": _FILES, **summary(interleaved(measures, setting.repetitions, "cost"))}


def _cost(setting: Setting, name: str, files: int) -> Round:
    all_s, one_s = (_cpu_s(setting, count) for count in (files, 1))
    return {f"{name}.cpu_ms": 1000 * (all_s - one_s) / (files - 1), f"{name}.start_cpu_s": one_s}


def _cpu_s(setting: Setting, files: int) -> float:
    """Return the CPU time of a run and of its processes; raises BenchmarkError if its status is not 0."""
    with tempfile.TemporaryDirectory(dir=setting.work) as folder:
        inbox, table = str(setting.inbox(files)), str(Path(folder) / "table")
        command = [sys.executable, "-m", "audiomnist", "score", inbox, "--into", table, "--model", str(setting.model)]
        process = subprocess.Popen([*command, "--workers", "1", "--quiet"])
        _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise BenchmarkError(f"{' '.join(command)} ended with wait status {status}")
    return usage.ru_utime + usage.ru_stime


def points(cost: dict[str, Any], unseen: Path, thresholds: Path) -> pd.DataFrame:
    """Return a row per model, and per threshold of the cascade: `title`, `accuracy`, `worst`, `asked`, `files_per_s`.

    `cost` is what `measure` returns, `unseen` the report of the protocol and `thresholds` the table of its cascade.

    Raises:
        BenchmarkError: the protocols have not run.
    """
    try:
        accuracies = json.loads(unseen.read_text(encoding="utf-8"))
        by_threshold = pd.read_csv(thresholds, dtype={"threshold": str})
    except (OSError, ValueError) as error:
        raise BenchmarkError(f"the protocols are not there ({error}): make protocols writes them") from error
    rows: list[tuple[Any, ...]] = [
        (TITLES[name], accuracies[name]["mean"], accuracies[name]["worst"], None, cost[name]["cpu_ms"])
        for name in ("cnn", "rnn", "lstm", "whisper")
    ]
    for row in by_threshold.itertuples():
        milliseconds = cost["cnn"]["cpu_ms"] + row.asked * cost["whisper"]["cpu_ms"]
        rows.append((f"cascade, t {row.threshold}", row.accuracy, row.worst, row.asked, milliseconds))
    table = pd.DataFrame(rows, columns=["title", "accuracy", "worst", "asked", "cpu_ms"])
    return table.assign(files_per_s=1000 / table.pop("cpu_ms"))


def plot(rows: pd.DataFrame, target: Path) -> None:
    """Plot accuracy on unseen speakers against files per second and core, from the rows of `points`."""
    figure = Figure(figsize=(7.4, 4.6), layout="constrained")
    axes = figure.add_subplot()
    is_cascade = rows["asked"].notna()
    single, cascade = rows[~is_cascade], rows[is_cascade].sort_values("files_per_s")
    axes.plot(cascade["files_per_s"], 100 * cascade["accuracy"], "o-", color=ORANGE, label="cascade, by threshold t")
    axes.plot(single["files_per_s"], 100 * single["accuracy"], "s", color=BLUE, label="one model")
    for title, place in zip(rows["title"], zip(rows["files_per_s"], 100 * rows["accuracy"], strict=True), strict=True):
        below = 6 if title.endswith("learnt") else -11
        axes.annotate(title.removeprefix("cascade, "), place, (6, below), textcoords="offset points", fontsize=8)
    axes.set(xscale="log", xlabel="files per second and core", ylabel="accuracy on unseen speakers, mean of six, %")
    axes.margins(x=0.2)
    axes.grid(which="both", alpha=0.3)
    axes.legend(loc="lower left")
    save(figure, target)


def table(rows: pd.DataFrame) -> ResultTable:
    """Return the rows of `points` as a table."""
    return ResultTable(_HEAD, [*_cells(rows)])


def _cells(rows: pd.DataFrame) -> Iterator[tuple[str, ...]]:
    for title, accuracy, worst, asked, files_per_s in rows.itertuples(index=False):
        share = "-" if pd.isna(asked) else f"{asked:.0%}"
        yield title, f"{accuracy:.1%}", f"{worst:.1%}", share, f"{files_per_s:,.0f}"


if __name__ == "__main__":
    try:
        main()
    except AudiomnistError as error:
        sys.exit(f"benchmarks.cost: {error}")

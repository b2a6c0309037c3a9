"""How many workers one driver keeps busy: its costs, measured here, and a simulation of more workers than are here.

`python -m benchmarks.scale --measure` measures the costs and writes reports/scale.json. Without the option those of the
last measurement are simulated. Both put the table into docs/scale.md.
"""

import json
import os
import pickle
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from statistics import median
from typing import Annotated, Any, TypeVar

import simpy
import typer

from audiomnist.core import atomic
from audiomnist.core.errors import AudiomnistError
from audiomnist.report.tables import ResultTable
from audiomnist.scoring import records
from audiomnist.scoring.inbox.inbox import Folder
from audiomnist.scoring.inbox.selection import Selection
from audiomnist.scoring.new_files import new_chunks
from audiomnist.scoring.records import FileResult
from audiomnist.scoring.seen import SeenFiles
from audiomnist.scoring.shutdown import Stop
from audiomnist.scoring.summary import Counters
from audiomnist.scoring.table.table import Table
from audiomnist.scoring.workers.scorer import Scorer, ScoringTask
from audiomnist.scoring.writer import TableWriter
from audiomnist.serving.model import Model, load
from audiomnist.serving.predictor import predictor
from benchmarks import report
from benchmarks.rounds import BenchmarkError, Setting, recordings
from benchmarks.small_cluster import SmallCluster, small_cluster

REPORT, PAGE = Path("reports/scale.json"), Path("docs/scale.md")
MARKERS = "<!-- scale: python -m benchmarks.scale -->\n", "<!-- /scale -->"

_MODEL = Path("models/selected")
_FILES = 40_000
_CHUNK_FILES = 512
_BATCH_ROWS = 4096
_COMMITS = 20

COST = Path("reports/cost.json")
_WORKERS = (1, 2, 4, 8, 32, 128, 256)
_SIMULATED_FILES = 2_000_000
_HEAD = ("workers", "cnn, files/s", "driver busy", "whisper, files/s", "driver busy")

_T = TypeVar("_T")
Process = Generator[Any, Any, None]


@dataclass(frozen=True)
class Costs:
    """Seconds of one core that a run takes.

    Attributes:
        list_s: of the driver per file: to find it, and see that it is new.
        collect_s: of the driver per file: to count its answer and make its row.
        commit_s: of the driver per commit of `batch_rows` rows.
        ray_s: of the driver per file: Ray's part, and what else is not named here.
        score_s: of a worker per file: to read, decode and label it.
        batch_rows: rows of a commit.
    """

    list_s: float
    collect_s: float
    commit_s: float
    ray_s: float
    score_s: float
    batch_rows: int = _BATCH_ROWS

    @property
    def driver_s(self) -> float:
        """Seconds of the driver per file."""
        return self.list_s + self.collect_s + self.commit_s / self.batch_rows + self.ray_s


@dataclass(frozen=True)
class Simulated:
    """A simulated run: files per second, and the share of the time in which the driver works."""

    files_per_s: float
    driver_busy: float


def simulated(costs: Costs, workers: int, files: int = _SIMULATED_FILES) -> Simulated:
    """Simulate a run: one driver lists chunks and collects answers, in turn, and workers score them.

    At most four chunks per worker are between listing and collecting, as back-pressure has it.
    """
    clock = simpy.Environment()
    chunks, answers = simpy.Store(clock), simpy.Store(clock)
    count = -(-files // _CHUNK_FILES)
    list_s = (costs.list_s + costs.ray_s) * _CHUNK_FILES
    collect_s = (costs.collect_s + costs.commit_s / costs.batch_rows) * _CHUNK_FILES

    def drive() -> Process:
        for number in range(count + 4 * workers):
            if number < count:
                yield clock.timeout(list_s)
                yield chunks.put(number)
            if number >= 4 * workers:
                yield answers.get()
                yield clock.timeout(collect_s)

    def score() -> Process:
        while True:
            chunk = yield chunks.get()
            yield clock.timeout(costs.score_s * _CHUNK_FILES)
            yield answers.put(chunk)

    for _ in range(workers):
        clock.process(score())
    clock.run(clock.process(drive()))
    return Simulated(count * _CHUNK_FILES / clock.now, count * (list_s + collect_s) / clock.now)


def table(costs: Costs, whisper_s: float) -> ResultTable:
    """Return simulated runs with more and more workers, with the cnn and with whisper, a worker's seconds per file."""
    models = (costs, replace(costs, score_s=whisper_s))
    return ResultTable(
        _HEAD, [(f"{workers}", *chain(*(_cells(model, workers) for model in models))) for workers in _WORKERS]
    )


def _cells(costs: Costs, workers: int) -> tuple[str, str]:
    run = simulated(costs, workers)
    return f"{run.files_per_s:,.0f}", f"{run.driver_busy:.0%}"


def measure(setting: Setting) -> Costs:
    """Return the costs: the medians of some rounds."""
    inbox, model = setting.inbox(setting.size(_FILES, 60)), load(setting.model, threads=1)
    rounds = [_round(setting, inbox, model) for _ in range(setting.repetitions)]
    list_s, collect_s, commit_s, score_s = (median(values) for values in zip(*rounds, strict=True))
    costs = Costs(list_s, collect_s, commit_s, 0.0, score_s)
    driver_s = _driver_s(setting, inbox)
    return Costs(**(asdict(costs) | {"ray_s": max(0.0, driver_s - costs.driver_s)}))


def _round(setting: Setting, inbox: Path, model: Model) -> tuple[float, float, float, float]:
    """Return `list_s`, `collect_s`, `commit_s` and `score_s`, each by the code of the scorer in this process."""
    counters, folder = Counters(model.description.reference), Folder(inbox)
    columns = records.run_columns("run", model.description, model.version)
    entries = folder.entries(Selection())
    chunks, list_s = _timed(
        lambda: [
            *new_chunks(entries, SeenFiles(()), counters, Stop(), limit=None, reread=False, chunk_files=_CHUNK_FILES)
        ]
    )
    scorer = Scorer(ScoringTask(folder, setting.model, model.version, 0.0), predictor(model))
    scored, score_s = _timed(lambda: [scorer.score(chunk) for chunk in chunks])
    answers = [pickle.dumps(chunk) for chunk in scored]
    with tempfile.TemporaryDirectory(dir=setting.work) as work:
        filled = Table.create(Path(work, "table"))
        writer = TableWriter(filled, SeenFiles(()), counters, columns, batch_size=10**9)
        _, collect_s = _timed(lambda: _collect(writer, answers))
        commit_s = _commit_s(filled, [result for chunk in scored for result in chunk.results], columns)
    files = sum(map(len, chunks))
    return list_s / files, collect_s / files, commit_s, score_s / files


def _collect(writer: TableWriter, answers: list[bytes]) -> None:
    for answer in answers:
        writer.add(pickle.loads(answer))  # noqa: S301 - of this process


def _commit_s(filled: Table, results: list[FileResult], columns: dict[str, str]) -> float:
    rows = records.table(results[:_BATCH_ROWS], columns, datetime.now(UTC))
    _, seconds = _timed(lambda: [filled.append(rows, {}) for _ in range(_COMMITS)])
    return seconds / _COMMITS


def _timed(work: Callable[[], _T]) -> tuple[_T, float]:
    start = time.perf_counter()
    result = work()
    return result, time.perf_counter() - start


def _driver_s(setting: Setting, inbox: Path) -> float:
    """Return the CPU time of the command per file, on a cluster of one worker; start-up is subtracted."""
    one, files = setting.inbox(1), setting.size(_FILES, 60)
    with small_cluster(1) as cluster:
        start_s, all_s = (_command_s(setting, cluster, folder) for folder in (one, inbox))
    return (all_s - start_s) / (files - 1)


def _command_s(setting: Setting, cluster: SmallCluster, inbox: Path) -> float:
    """Return the CPU time of a run, without that of the cluster; raises BenchmarkError if its status is not 0."""
    with tempfile.TemporaryDirectory(dir=setting.work) as folder:
        command = [sys.executable, "-m", "audiomnist", "score", str(inbox), "--into", str(Path(folder, "table"))]
        options = ["--model", str(setting.model), "--engine", "ray", "--address", cluster.address, "--quiet"]
        process = subprocess.Popen([*command, *options], env=cluster.environment)
        _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise BenchmarkError(f"{' '.join(command)} ended with wait status {status}")
    return usage.ru_utime + usage.ru_stime


def read(report: Path, cost: Path) -> tuple[Costs, float]:
    """Return the costs of a report, and from that of `benchmarks.cost` the seconds of whisper per file."""
    costs, models = (json.loads(path.read_text(encoding="utf-8")) for path in (report, cost))
    return Costs(**costs["costs"]), models["whisper"]["cpu_ms"] / 1000


def main(*, measured: Annotated[bool, typer.Option("--measure", help="Measure the costs first.")] = False) -> None:
    """Simulate runs with more workers than are here; write their table into docs/scale.md."""
    if measured:
        with tempfile.TemporaryDirectory(prefix="audiomnist-scale-") as work:
            costs = measure(Setting(Path(work), _MODEL, recordings(Path(work)), 3, is_quick=False))
        on = {"machine": report.machine(), "code_revision": report.code_revision()}
        atomic.write_json(REPORT, {**on, "costs": asdict(costs)})
    report.replace_between(PAGE, *MARKERS, table(*read(REPORT, COST)).markdown())


if __name__ == "__main__":
    try:
        typer.run(main)
    except AudiomnistError as error:
        sys.exit(f"benchmarks.scale: {error}")

"""The command `python -m benchmarks`, in the checkout."""

import sys
import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from rich.console import Console

from audiomnist.core.errors import AudiomnistError
from benchmarks import growth, machine, material, mfcc, overhead, page, report, score, training, transcription
from benchmarks.commands import BenchmarkError
from benchmarks.material import Setting

SECTIONS: Mapping[str, Callable[[Setting], dict[str, Any]]] = {
    "score": score.measure,
    "score_rnn": partial(score.measure, model=score.RNN, files=score.RNN_FILES),
    "mfcc": mfcc.measure,
    "training": training.measure,
    "transcription": transcription.measure,
    "growth": growth.measure,
    "overhead": overhead.measure,
    "million": growth.measure_million,
}

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def benchmark(
    only: Annotated[list[str] | None, typer.Option(help="Measure this section; may be given several times.")] = None,
    repetitions: Annotated[int, typer.Option(min=1, help="Rounds of each measurement.")] = 5,
    out: Annotated[Path, typer.Option(help="The report.")] = Path("reports/benchmark.json"),
    shown: Annotated[Path, typer.Option("--page", help="The page whose table is written.")] = Path(
        "docs/performance.md"
    ),
    quick: Annotated[
        Path | None,
        typer.Option(help="Do everything once in tiny sizes, and write what comes of it, which means nothing, here."),
    ] = None,
    *,
    million: Annotated[
        bool, typer.Option("--million", help="Score a million files as well, once; takes 9 GB of TMPDIR.")
    ] = False,
) -> None:
    """Measure how fast audiomnist is, beside its peers on the same cores; write a report and the table of a page."""
    console, checkout = Console(stderr=True), Path.cwd()
    names = _wanted(only or [], checkout, million=million)
    if not quick:
        page.around(shown)  # rather now than after minutes
    with tempfile.TemporaryDirectory(prefix="audiomnist-benchmark-") as work:
        torch.set_num_threads(1)
        recordings = material.recordings(checkout, Path(work))
        setting = Setting(checkout, Path(work), recordings, 1 if quick else repetitions, quick is not None, console)
        written = {} if quick else report.read(out)
        for name in names:
            written = report.updated(written, machine.described(), {name: _measured(name, setting)})
            report.write(quick or out, written)
    if not quick:
        page.write(shown, written)


def _wanted(only: list[str], checkout: Path, *, million: bool) -> list[str]:
    """Return the sections to measure: those that are asked for, else all that can be measured in minutes."""
    if unknown := sorted(set(only) - set(SECTIONS)):
        raise BenchmarkError(f"there is no section {', '.join(unknown)}: there are {', '.join(SECTIONS)}")
    rnn = {"score_rnn"} if (checkout / score.RNN).is_dir() else set()
    wanted = {*(only or {*SECTIONS} - {"score_rnn", "million"} | rnn), *({"million"} if million else ())}
    return [name for name in SECTIONS if name in wanted]


def _measured(name: str, setting: Setting) -> dict[str, Any]:
    setting.console.print(f"{name} ...")
    return {**SECTIONS[name](setting), "code_revision": machine.code_revision(setting.checkout)}


if __name__ == "__main__":
    try:
        app()
    except AudiomnistError as error:
        sys.exit(f"benchmarks: {error}")

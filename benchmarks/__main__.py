"""The command `python -m benchmarks`, run in the checkout."""

import sys
import tempfile
from pathlib import Path
from typing import Annotated

import torch
import typer

from audiomnist.core import atomic
from audiomnist.core.errors import AudiomnistError
from benchmarks import report, score, spectra, transcription
from benchmarks.rounds import BenchmarkError, Setting, recordings

SECTIONS = {
    "score": score.measure,
    "mfcc": spectra.measure,
    "transcription": transcription.measure,
    "growth": score.growth,
    "million": score.million,
}
REPORT, PAGE = Path("reports/benchmark.json"), Path("docs/performance.md")

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def benchmark(
    only: Annotated[list[str] | None, typer.Option(help="Measure this section; may be given several times.")] = None,
    model: Annotated[Path, typer.Option(help="The bundle that scores.")] = Path("models/selected"),
    rounds: Annotated[int, typer.Option(min=1, help="Rounds of each measurement.")] = 5,
    quick: Annotated[
        Path | None, typer.Option(help="Try everything in tiny sizes; the report, without meaning, is written here.")
    ] = None,
) -> None:
    """Measure how fast audiomnist is beside its peers: all sections but `million`; write a report and its table."""
    names = only or [name for name in SECTIONS if name != "million"]
    if unknown := sorted(set(names) - set(SECTIONS)):
        raise BenchmarkError(f"there is no section {', '.join(unknown)}: there are {', '.join(SECTIONS)}")
    torch.set_num_threads(1)
    written = {} if quick else report.read(REPORT)
    with tempfile.TemporaryDirectory(prefix="audiomnist-benchmark-") as work:
        setting = Setting(Path(work), model, recordings(Path(work)), 1 if quick else rounds, quick is not None)
        for name in names:
            section = {**SECTIONS[name](setting), "code_revision": report.code_revision()}
            written = report.updated(written, report.machine(), {name: section})
            atomic.write_json(quick or REPORT, written)
    if not quick:
        report.show(PAGE, written)


if __name__ == "__main__":
    try:
        app()
    except AudiomnistError as error:
        sys.exit(f"benchmarks: {error}")

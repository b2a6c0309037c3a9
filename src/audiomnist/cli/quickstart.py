"""A first run from nothing to labelled recordings, on the real corpus or on synthetic voices."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
from rich.console import Console
from rich.table import Table
from ruamel.yaml import YAML

from audiomnist.core.errors import AudiomnistError
from audiomnist.corpus import splits
from audiomnist.corpus.splits import Clip
from audiomnist.ingest import download
from audiomnist.report import tables
from audiomnist.scoring import run
from audiomnist.scoring.progress import Silence
from audiomnist.scoring.run import Order
from audiomnist.scoring.shutdown import Stop
from audiomnist.scoring.table.schema import SCHEMA
from audiomnist.scoring.table.table import Table as ScoredTable

_CLIPS = 20
_RESULTS_OF_THE_REAL_RUN = ("dvc.lock", "stages/protocols/dvc.lock", "reports/", "models/")


class QuickstartError(AudiomnistError):
    """The first run cannot go on."""


def quickstart(checkout: Path, console: Console) -> None:
    """Run the whole pipeline, show its results, and score a folder of recordings.

    Where the real recordings cannot be had, the same is done with synthetic voices under
    `build/synthetic/`, outside everything that git tracks.
    """
    folder = checkout if _has_recordings(checkout) else _synthetic(checkout, console)
    _reproduce(folder)
    console.print(tables.table(tables.read(folder / "reports" / "comparison.json")))
    demonstrate(folder, console)


def _has_recordings(checkout: Path) -> bool:
    if os.environ.get(download.SOURCE_VARIABLE) or any((checkout / "data" / "raw").glob("*.wav")):
        return True
    return download.upstream_is_reachable()


def _synthetic(checkout: Path, console: Console) -> Path:
    target = checkout / "build" / "synthetic"
    console.print(
        f"The recordings cannot be reached at {download.UPSTREAM_URL} and {download.SOURCE_VARIABLE} is not set: "
        f"going on with synthetic voices in {target}",
        soft_wrap=True,
    )
    for name in _tracked(checkout):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(checkout / name, target / name)
    (target / ".dvc" / "config.local").write_text("[core]\n    no_scm = true\n", encoding="utf-8")
    yaml = YAML()
    parameters = yaml.load((target / "params.yaml").read_text(encoding="utf-8"))
    parameters["data"]["source"] = "synthetic"
    yaml.dump(parameters, target / "params.yaml")
    return target


def _tracked(checkout: Path) -> list[str]:
    listing = _run(["git", "ls-files", "-z"], checkout, capture=True)
    names = [name for name in listing.split("\0") if name and (checkout / name).is_file()]
    return [name for name in names if not name.startswith(_RESULTS_OF_THE_REAL_RUN)]


def _reproduce(folder: Path) -> None:
    _run([str(Path(sys.executable).with_name("dvc")), "repro"], folder)


def _run(command: list[str], folder: Path, *, capture: bool = False) -> str:
    own_programs_first = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    environment = os.environ | {"PATH": own_programs_first}
    ended = subprocess.run(  # noqa: S603 - the commands are written above
        command, cwd=folder, env=environment, check=False, text=True, stdout=subprocess.PIPE if capture else None
    )
    if ended.returncode != 0:
        raise QuickstartError(f"{' '.join(command)} failed in {folder} with status {ended.returncode}: see above")
    return ended.stdout or ""


def demonstrate(folder: Path, console: Console) -> None:
    """Copy twenty recordings of the test part under new names, score them, and print label beside truth."""
    inbox = folder / "build" / "inbox"
    shutil.rmtree(inbox, ignore_errors=True)
    inbox.mkdir(parents=True)
    chosen = _spread(splits.read(folder / "data" / "split.csv"))
    paths = [inbox / f"recording_{number:02}.wav" for number in range(len(chosen))]
    for clip, path in zip(chosen, paths, strict=True):
        shutil.copyfile(folder / "data" / "raw" / clip.file, path)
    rows = _labels(folder, inbox)
    drawn = Table("file", "label", "confidence", "truth", title=f"{inbox}, scored by {rows[0]['model']}")
    right = 0
    for path, clip, row in zip(paths, chosen, rows, strict=True):
        right += row["digit"] == clip.digit
        mark = "" if row["digit"] == clip.digit else "  <- wrong"
        drawn.add_row(path.name, str(row["digit"]), f"{row['confidence']:.1%}", f"{clip.digit}{mark}")
    console.print(drawn)
    console.print(f"{right} of {len(chosen)} right ({rows[0]['dataset']})")


def _labels(folder: Path, inbox: Path) -> list[dict[str, Any]]:
    """Score the inbox into a new table; return its rows, ordered by path."""
    table = folder / "build" / "table"
    shutil.rmtree(table, ignore_errors=True)
    run.score(Order(inbox, table, folder / "models" / "selected"), Silence(), Stop())
    rows = pa.Table.from_batches(ScoredTable.open(table).scan(), SCHEMA)
    return cast("list[dict[str, Any]]", rows.sort_by("path").to_pylist())


def _spread(clips: list[Clip]) -> list[Clip]:
    test = [clip for clip in clips if clip.part == "test"]
    count = min(_CLIPS, len(test))
    return [test[index * len(test) // count] for index in range(count)]

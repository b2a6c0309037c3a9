"""A first run from nothing to labelled recordings, on the real corpus or on synthetic voices."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
from rich.console import Console
from rich.table import Table
from ruamel.yaml import YAML

from audiomnist.cli.repro import reproduce
from audiomnist.core.errors import AudiomnistError
from audiomnist.corpus import splits
from audiomnist.corpus.splits import Clip
from audiomnist.evaluation.names import TITLES
from audiomnist.ingest import download
from audiomnist.report import tables
from audiomnist.scoring import run
from audiomnist.scoring.progress import NullProgress
from audiomnist.scoring.run import ScoringConfig
from audiomnist.scoring.shutdown import Stop
from audiomnist.scoring.table.schema import SCHEMA
from audiomnist.scoring.table.table import Table as ScoredTable

_CLIPS = 20
_RESULTS = ("dvc.lock", "reports", "models")
_NEXT = """
Next: source .venv/bin/activate
  audiomnist score INBOX --into TABLE     label recordings of yours
  dvc exp run -S models.rnn.dropout=0.3   change a model, then: dvc exp show
  docs/results.md, docs/protocols.md      what the numbers mean; unseen speakers"""
_KEEP_OR_DROP = f"""\
Tracked results changed; another processor gives slightly different numbers.
  keep them:  git commit -am "Results of this machine"
  drop them:  git checkout {" ".join(_RESULTS)}"""


class QuickstartError(AudiomnistError):
    """The first run cannot go on."""


def quickstart(checkout: Path, console: Console, *, verbose: bool = False) -> None:
    """Run the whole pipeline, score a folder of recordings, and compare the results with the committed ones.

    Without access to the recordings, the same is done with synthetic voices under `build/synthetic/`, outside
    everything that git tracks, and without the comparison.
    """
    folder = checkout if _has_recordings(checkout) else _synthetic(checkout, console)
    reproduce(folder / "dvc.yaml", console, verbose=verbose)
    demonstrate(folder, console)
    console.print(tables.results(folder / "reports" / "comparison.json").rich())
    if folder == checkout:
        compare(checkout, console)
    console.print(_NEXT, highlight=False)


def _has_recordings(checkout: Path) -> bool:
    if os.environ.get(download.SOURCE_VARIABLE) or any((checkout / "data" / "raw").glob("*.wav")):
        return True
    return download.upstream_is_reachable()


def _synthetic(checkout: Path, console: Console) -> Path:
    """Copy what git tracks, without results, and ask for synthetic voices; return the folder of the copy."""
    target = checkout / "build" / "synthetic"
    console.print(
        f"The recordings cannot be reached at {download.UPSTREAM_URL} and {download.SOURCE_VARIABLE} is not set: "
        f"going on with synthetic voices in {target}",
        soft_wrap=True,
    )
    listing = _git(checkout, "ls-files", "-z", "--", ".", ":!stages/protocols", *(f":!{name}" for name in _RESULTS))
    for name in filter(lambda name: (checkout / name).is_file(), listing.split("\0")):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(checkout / name, target / name)
    (target / ".dvc" / "config.local").write_text("[core]\n    no_scm = true\n", encoding="utf-8")
    yaml = YAML()
    parameters = yaml.load((target / "params.yaml").read_text(encoding="utf-8"))
    parameters["data"]["source"] = "synthetic"
    yaml.dump(parameters, target / "params.yaml")
    return target


def compare(checkout: Path, console: Console) -> None:
    """Print how each model's accuracy differs from the committed one, and how to keep or drop what differs."""
    console.print("\nCompared with the committed results:", highlight=False)
    for name, title in TITLES.items():
        report = f"reports/metrics/{name}.json"
        found = json.loads((checkout / report).read_text(encoding="utf-8"))[name]
        console.print(f"  {title:12}  {_difference(found, _committed(checkout, report, name))}", highlight=False)
    if _git(checkout, "status", "--porcelain", "--", *_RESULTS):
        console.print(_KEEP_OR_DROP, highlight=False)


def _committed(checkout: Path, report: str, name: str) -> dict[str, Any] | None:
    """Return a model's metrics in git HEAD, None where it has none."""
    if not _git(checkout, "ls-tree", "HEAD", report):
        return None
    return cast("dict[str, Any]", json.loads(_git(checkout, "show", f"HEAD:./{report}"))[name])


def _difference(found: dict[str, Any], committed: dict[str, Any] | None) -> str:
    if committed is None:
        return "no results are committed"
    if found["dataset"] != committed["dataset"]:
        return f"the committed results are of another dataset, {committed['dataset']}"
    low, high = committed["accuracy_low"], committed["accuracy_high"]
    points = 100 * (found["accuracy"] - committed["accuracy"])
    where = "inside" if low <= found["accuracy"] <= high else "outside"
    return f"{points:+.1f} points, {where} the committed 95% interval, {100 * low:.1f} to {high:.1%}"


def _git(checkout: Path, *arguments: str) -> str:
    command = ["git", *arguments]
    ended = subprocess.run(command, cwd=checkout, check=False, text=True, capture_output=True)  # noqa: S603
    if ended.returncode != 0:
        raise QuickstartError(f"{' '.join(command)} failed in {checkout}: {ended.stderr.strip()}")
    return ended.stdout


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
    run.score(ScoringConfig(inbox, table, folder / "models" / "selected"), NullProgress(), Stop())
    rows = pa.Table.from_batches(ScoredTable.open(table).scan(), SCHEMA)
    return cast("list[dict[str, Any]]", rows.sort_by("path").to_pylist())


def _spread(clips: list[Clip]) -> list[Clip]:
    test = [clip for clip in clips if clip.subset == "test"]
    count = min(_CLIPS, len(test))
    return [test[index * len(test) // count] for index in range(count)]

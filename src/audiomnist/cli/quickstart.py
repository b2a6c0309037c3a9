"""The command `audiomnist quickstart`: the whole pipeline, a scored folder, and a comparison with committed results."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pyarrow as pa
from ruamel.yaml import YAML

from audiomnist.cli.repro import reproduce
from audiomnist.core.errors import AudiomnistError
from audiomnist.corpus import manifest, splits
from audiomnist.evaluation.names import TITLES
from audiomnist.ingest import download
from audiomnist.report import tables
from audiomnist.scoring import run
from audiomnist.scoring.run import ScoringConfig
from audiomnist.scoring.table.schema import SCHEMA
from audiomnist.scoring.table.table import Table

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
    """The folder is not a checkout, or a git command failed."""


def quickstart(checkout: Path, *, verbose: bool = False) -> None:
    """Run the whole pipeline, score a folder of recordings, and compare the results with the committed ones.

    Without access to the recordings, it runs on synthetic voices in `build/synthetic/`, and compares nothing.

    Raises:
        QuickstartError: the folder is not a checkout, or a git command failed.
        StageError: a stage failed.
    """
    if not (checkout / "dvc.yaml").is_file():
        raise QuickstartError(f"{checkout} is not a checkout of this repository: it has no dvc.yaml")
    has_recordings = os.environ.get(download.SOURCE_VARIABLE) or any((checkout / "data" / "raw").glob("*.wav"))
    folder = checkout if has_recordings or download.upstream_is_reachable() else _synthetic(checkout)
    reproduce(folder / "dvc.yaml", verbose=verbose)
    demonstrate(folder)
    tables.results(folder / "reports" / "comparison.json").echo()
    if folder == checkout:
        compare(checkout)
    print(_NEXT)


def _synthetic(checkout: Path) -> Path:
    """Copy the tracked files, without results and reviewed recordings, to a folder of synthetic voices; return it."""
    target = checkout / "build" / "synthetic"
    print(
        f"The recordings cannot be reached at {download.UPSTREAM_URL} and {download.SOURCE_VARIABLE} is not set: "
        f"going on with synthetic voices in {target}"
    )
    listing = _git(checkout, "ls-files", "-z", "--", ".", ":!stages/protocols", *(f":!{name}" for name in _RESULTS))
    for name in (name for name in listing.split("\0") if (checkout / name).is_file()):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(checkout / name, target / name)
    manifest.write(target / "data" / "reviewed.csv", [])
    (target / ".dvc" / "config.local").write_text("[core]\n    no_scm = true\n", encoding="utf-8")
    yaml = YAML()
    parameters = yaml.load((target / "params.yaml").read_text(encoding="utf-8"))
    parameters["data"]["source"] = "synthetic"
    yaml.dump(parameters, target / "params.yaml")
    return target


def demonstrate(folder: Path) -> None:
    """Copy twenty recordings of the test set under new names, score them, and print the labels beside the truth."""
    inbox, table = folder / "build" / "inbox", folder / "build" / "table"
    for left_over in (inbox, table):
        shutil.rmtree(left_over, ignore_errors=True)
    inbox.mkdir(parents=True)
    test = [clip for clip in splits.read(folder / "data" / "split.csv") if clip.subset == "test"]
    count = min(_CLIPS, len(test))
    clips = {f"recording_{index:02}.wav": test[index * len(test) // count] for index in range(count)}
    for name, clip in clips.items():
        shutil.copyfile(folder / "data" / "raw" / clip.file, inbox / name)
    run.score(ScoringConfig(inbox, table, folder / "models" / "selected"))
    rows = pa.Table.from_batches(Table.open(table).scan(), SCHEMA).sort_by("path").to_pylist()
    cells = []
    for (name, clip), row in zip(clips.items(), rows, strict=True):
        truth = f"{clip.digit}" if row["digit"] == clip.digit else f"{clip.digit}  <- wrong"
        cells.append((name, str(row["digit"]), f"{row['confidence']:.1%}", truth))
    title = f"{inbox}, scored by {rows[0]['model']}"
    tables.ResultTable(("file", "label", "confidence", "truth"), cells, title).echo()
    right = sum(label == truth for _, label, _, truth in cells)
    print(f"{right} of {count} right ({rows[0]['dataset']})")


def compare(checkout: Path) -> None:
    """Print how each model's accuracy differs from the committed one, and how to keep or drop changed results."""
    print("\nCompared with the committed results:")
    width = max(map(len, TITLES.values()))
    for name, title in TITLES.items():
        report = f"reports/evaluation/{name}.json"
        scores = json.loads((checkout / report).read_text(encoding="utf-8"))[name]
        is_committed = _git(checkout, "ls-tree", "HEAD", report)
        committed = json.loads(_git(checkout, "show", f"HEAD:./{report}"))[name] if is_committed else None
        print(f"  {title:{width}}  {_difference(scores, committed)}")
    if _git(checkout, "status", "--porcelain", "--", *_RESULTS):
        print(_KEEP_OR_DROP)


def _difference(scores: dict[str, Any], committed: dict[str, Any] | None) -> str:
    if committed is None:
        return "no results are committed"
    if scores["dataset"] != committed["dataset"]:
        return f"the committed results are of another dataset, {committed['dataset']}"
    accuracy, low, high = scores["accuracy"], committed["accuracy_low"], committed["accuracy_high"]
    points = 100 * (accuracy - committed["accuracy"])
    where = "inside" if low <= accuracy <= high else "outside"
    return f"{points:+.1f} points, {where} the committed 95% interval, {100 * low:.1f} to {high:.1%}"


def _git(checkout: Path, *arguments: str) -> str:
    command = ["git", *arguments]
    process = subprocess.run(command, cwd=checkout, check=False, text=True, capture_output=True)  # noqa: S603
    if process.returncode != 0:
        raise QuickstartError(f"{' '.join(command)} failed in {checkout}: {process.stderr.strip()}")
    return process.stdout

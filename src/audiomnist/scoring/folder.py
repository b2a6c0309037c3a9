"""A folder of WAV files in, one CSV of rows out."""

import csv
from collections import Counter
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from rich.progress import track

from audiomnist import atomic
from audiomnist.errors import AudiomnistError
from audiomnist.scoring.predictor import Predictor, Row


class InboxError(AudiomnistError):
    """The folder to be scored cannot be read."""


@dataclass(frozen=True)
class Counts:
    """How many files were labelled, and how many rejected."""

    scored: int
    rejected: int


def score_folder(folder: Path, bundle: Path, target: Path) -> Counts:
    """Write a row for every `*.wav` under `folder`, ordered by path; `target` appears whole or not at all.

    Raises:
        InboxError: `folder` is no folder, or `target` is one.
        BundleError: the model cannot be used.
    """
    if not folder.is_dir():
        raise InboxError(f"{folder} is no folder: name the one that holds the recordings")
    if target.is_dir():
        raise InboxError(f"{target} is a folder: name the CSV file to write")
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() == ".wav" and path.is_file())
    predictor = Predictor(bundle)
    statuses: Counter[str] = Counter()
    with atomic.replaced_file(target) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Row)], lineterminator="\n")
        writer.writeheader()
        for row in track(predictor.rows(paths), "score", total=len(paths)):
            writer.writerow(asdict(row))
            statuses[row.status] += 1
    return Counts(statuses["scored"], statuses["rejected"])

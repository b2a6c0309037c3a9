"""Rounds of measurements, and the recordings and inboxes that they are taken on."""

import os
import random
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.progress import track

from audiomnist.core.errors import AudiomnistError
from audiomnist.corpus import manifest
from audiomnist.ingest import download

_RAW = Path("data/raw")
_MANIFEST = Path("data/manifest.csv")
_FOLDER_FILES = 1000
_MARK_BYTES = 4

# Values by name; a dot in a name nests it in the report.
Round = dict[str, float]
Measure = Callable[[], Round]


class BenchmarkError(AudiomnistError):
    """Something cannot be measured."""


@dataclass(frozen=True)
class Setting:
    """What all measurements share.

    Attributes:
        work: a folder for temporary files.
        model: the folder of the bundle that scores.
        recordings: WAV files of the corpus, in random order.
        repetitions: rounds of each measurement.
        is_quick: whether all sizes are tiny, and the figures mean nothing.
    """

    work: Path
    model: Path
    recordings: Sequence[Path]
    repetitions: int
    is_quick: bool

    def size(self, full: int, quick: int) -> int:
        """Return the first number, or the second in a quick run."""
        return quick if self.is_quick else full

    def inbox(self, files: int) -> Path:
        """Return a folder of distinct files, made once: recordings with a number in their last two samples."""
        folder = self.work / f"inbox-{files}"
        if not folder.exists():
            folder.mkdir()
            whole = list(dict.fromkeys(path.read_bytes()[:-_MARK_BYTES] for path in self.recordings))
            for number in range(files):
                copy, place = divmod(number, len(whole))
                path = folder / f"{number // _FOLDER_FILES:04}" / f"{number % _FOLDER_FILES:03}.wav"
                path.parent.mkdir(exist_ok=True)
                path.write_bytes(whole[place] + copy.to_bytes(_MARK_BYTES, "little"))
            os.sync()
        return folder


def recordings(work: Path) -> list[Path]:
    """Return the recordings in random order: those of AUDIOMNIST_SOURCE, of the pipeline, or upstream's."""
    folder = _RAW
    if os.environ.get(download.SOURCE_VARIABLE) or not folder.is_dir():
        folder = work / "recordings"
        folder.mkdir()
        download.fetch(folder, manifest.read(_MANIFEST))
    found = sorted(folder.glob("*.wav"))
    random.Random(0).shuffle(found)
    return found


def interleaved(measures: Sequence[Measure], repetitions: int, title: str) -> list[Round]:
    """Take each measurement once per round, each round beginning with the next of them."""
    count = len(measures)
    turns = [(number, measures[(number + place) % count]) for number in range(repetitions) for place in range(count)]
    rounds: list[Round] = [{} for _ in range(repetitions)]
    for number, measure in track(turns, title, console=Console(stderr=True)):
        rounds[number] |= measure()
    return rounds


def timed(name: str, work: Callable[[], object], items: int) -> Round:
    """Return how many items a second took."""
    start = time.perf_counter()
    work()
    return {name: items / (time.perf_counter() - start)}


def with_ratios(values: Round, rate: str, peers: Iterable[str], ours: str = "") -> Round:
    """Return a round with `<ours>ratio_to_<peer>`: the value `<ours><rate>` over `<peer>_<rate>`, for each peer."""
    return values | {f"{ours}ratio_to_{peer}": values[f"{ours}{rate}"] / values[f"{peer}_{rate}"] for peer in peers}


def summary(rounds: Sequence[Round]) -> dict[str, Any]:
    """Return the median of each value, and under `spread` the least and the greatest; four digits of each.

    >>> summary([{"files_per_s": 3.0}, {"files_per_s": 1.0}, {"files_per_s": 5.0}])
    {'files_per_s': 3.0, 'spread': {'files_per_s': [1.0, 5.0]}, 'repetitions': 3}
    """
    nested: dict[str, Any] = {}
    spread: dict[str, list[float]] = {}
    for name in rounds[0]:
        values = [values[name] for values in rounds]
        least, middle, greatest = (float(f"{one(values):.4g}") for one in (min, median, max))
        *folders, last = name.split(".")
        place = nested
        for folder in folders:
            place = place.setdefault(folder, {})
        place[last], spread[name] = middle, [least, greatest]
    return {**nested, "spread": spread, "repetitions": len(rounds)}

"""Which dataset the numbers speak of."""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from audiomnist.reference import Histogram

DIGIT_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")

FSDD = "Free Spoken Digit Dataset"
SYNTHETIC = "synthetic voices (eSpeak NG)"

_LATEST_FSDD = "1.0.10"
_FSDD_SPEAKERS = {
    "1.0.8": {"jackson", "nicolas", "theo"},
    "1.0.9": {"jackson", "nicolas", "theo", "george", "yweweler"},
    _LATEST_FSDD: {"jackson", "nicolas", "theo", "george", "yweweler", "lucas"},
}


@dataclass(frozen=True)
class Dataset:
    """Name and version of what a model learned from or was judged on."""

    name: str
    version: str


def fsdd_version(speakers: Iterable[str]) -> str:
    """Return upstream's version where it has just these speakers, else the latest one and their names."""
    names = set(speakers)
    for version, known in _FSDD_SPEAKERS.items():
        if names == known:
            return version
    return f"{_LATEST_FSDD}, only {', '.join(sorted(names))}"


def read(report: Path) -> Dataset:
    """Return the dataset that `ingest` reported."""
    corpus = json.loads(report.read_text(encoding="utf-8"))["corpus"]
    return Dataset(corpus["dataset"], corpus["version"])


def durations(report: Path) -> Histogram:
    """Return the deciles of the recordings' durations that `ingest` reported."""
    deciles = json.loads(report.read_text(encoding="utf-8"))["corpus"]["duration_s"]
    share = 1 / (len(deciles) + 1)
    times = Counter(deciles.values())  # equal deciles are one edge
    return Histogram(edges=tuple(times), shares=(share, *(share * count for count in times.values())))

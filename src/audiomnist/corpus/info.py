"""Name and version of the dataset, for reports and bundles."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

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
    """Name and version of a dataset."""

    name: str
    version: str


def fsdd_version(speakers: Iterable[str]) -> str:
    """Return the upstream version that has exactly these speakers, or else the latest one with their names."""
    names = set(speakers)
    for version, known in _FSDD_SPEAKERS.items():
        if names == known:
            return version
    return f"{_LATEST_FSDD}, only {', '.join(sorted(names))}"


def read(report: Path) -> Dataset:
    """Return the dataset from the report of `ingest`."""
    corpus = json.loads(report.read_text(encoding="utf-8"))["corpus"]
    return Dataset(corpus["dataset"], corpus["version"])


def deciles_of_durations(report: Path) -> dict[str, float]:
    """Return the deciles of the durations, in seconds, from the report of `ingest`: `p10` to `p90`."""
    deciles: dict[str, float] = json.loads(report.read_text(encoding="utf-8"))["corpus"]["duration_s"]
    return deciles

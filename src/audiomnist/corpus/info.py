"""Name and version of the dataset, for reports and bundles."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

FSDD = "Free Spoken Digit Dataset"
SYNTHETIC = "synthetic voices (eSpeak NG)"

_LATEST_FSDD = "1.0.10"
_FSDD_VERSIONS = {
    ("jackson", "nicolas", "theo"): "1.0.8",
    ("george", "jackson", "nicolas", "theo", "yweweler"): "1.0.9",
    ("george", "jackson", "lucas", "nicolas", "theo", "yweweler"): _LATEST_FSDD,
}


@dataclass(frozen=True)
class Dataset:
    """Name and version of a dataset."""

    name: str
    version: str


def fsdd_version(speakers: Iterable[str]) -> str:
    """Return the upstream version that has exactly these speakers, or else the latest one with their names."""
    names = tuple(sorted(set(speakers)))
    return _FSDD_VERSIONS.get(names, f"{_LATEST_FSDD}, only {', '.join(names)}")


def read(report: Path) -> Dataset:
    """Return the dataset from the report of `ingest`."""
    corpus = json.loads(report.read_text(encoding="utf-8"))["corpus"]
    return Dataset(corpus["dataset"], corpus["version"])


def deciles_of_durations(report: Path) -> list[float]:
    """Return the nine deciles of the durations, in seconds, from the report of `ingest`."""
    deciles: list[float] = json.loads(report.read_text(encoding="utf-8"))["corpus"]["duration_deciles_s"]
    return deciles

"""Name and version of the dataset, for reports and bundles."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from audiomnist.corpus.manifest import Recording

FSDD = "Free Spoken Digit Dataset"
SYNTHETIC = "synthetic voices (eSpeak NG)"
OWN = "own recordings"

_LATEST_FSDD = "1.0.10"
_LATEST_FSDD_SHA256 = "2a1d543845b3195beef8afd6e89017226ae043d601e42e21ce61cde0fe9b3b0b"  # see `content_sha256`
_VERSION_CHARACTERS = 12
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


def is_fsdd(listed: Iterable[Recording]) -> bool:
    """Return whether a manifest lists upstream's recordings: the latest version, all of it."""
    return content_sha256(listed) == _LATEST_FSDD_SHA256


def of_recordings(listed: Sequence[Recording], used: Sequence[Recording], name: str | None) -> Dataset:
    """Return the dataset of the recordings that are used of those that a manifest lists; `name` is its user's."""
    if name is None and is_fsdd(listed):
        return Dataset(FSDD, fsdd_version(row.speaker for row in used))
    return Dataset(name or OWN, content_sha256(used)[:_VERSION_CHARACTERS])


def content_sha256(recordings: Iterable[Recording]) -> str:
    """Return the SHA-256 of the recordings' SHA-256s, sorted, a line each: it depends on neither names nor order."""
    lines = "\n".join(sorted(row.sha256 for row in recordings))
    return hashlib.sha256(lines.encode("ascii")).hexdigest()


def read(report: Path) -> Dataset:
    """Return the dataset from the report of `ingest`."""
    corpus = json.loads(report.read_text(encoding="utf-8"))["corpus"]
    return Dataset(corpus["dataset"], corpus["version"])


def deciles_of_durations(report: Path) -> list[float]:
    """Return the nine deciles of the durations, in seconds, from the report of `ingest`."""
    deciles: list[float] = json.loads(report.read_text(encoding="utf-8"))["corpus"]["duration_deciles_s"]
    return deciles

"""Filling the folder of raw recordings, and saying what is in it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from audiomnist.audio import waveform
from audiomnist.core import atomic
from audiomnist.corpus import info, manifest
from audiomnist.corpus.manifest import ManifestError, Recording
from audiomnist.ingest import download
from audiomnist.ingest.params import DataParams
from audiomnist.synthesis import corpus as synthetic


def ingest(complete: Path, params: DataParams, raw: Path, recordings: Path, report: Path) -> None:
    """Fill `raw` with the chosen recordings, each equal to its row of the manifest to the byte.

    Args:
        complete: the manifest of the whole dataset, in git.
        params: which source and which speakers.
        raw: the folder to fill; it appears whole or not at all.
        recordings: where the manifest of what is in `raw` goes.
        report: where the counts go (JSON).

    Raises:
        SourceError: no source can be reached.
        ManifestError: the source lacks recordings, has others, or altered ones; names them.
    """
    with atomic.replaced_directory(raw) as folder:
        rows = _SOURCES[params.source](folder, complete, params)
    manifest.write(recordings, rows)
    atomic.write_json(report, {"corpus": describe(raw, rows, params)})


def describe(raw: Path, rows: list[Recording], params: DataParams) -> dict[str, Any]:
    """Return the dataset's name, version and size, and the deciles of the recordings' durations in seconds."""
    name, version = _dataset(params)
    durations_s = np.array([waveform.read(raw / row.file).duration_s for row in rows])
    return {
        "dataset": name,
        "version": version,
        "recordings": len(rows),
        "speakers": len({row.speaker for row in rows}),
        "seconds": round(float(durations_s.sum()), 3),
        "duration_s": {
            f"p{percent}": round(float(np.percentile(durations_s, percent)), 4) for percent in range(10, 100, 10)
        },
    }


def _dataset(params: DataParams) -> tuple[str, str]:
    if params.source == "recordings":
        return info.FSDD, info.fsdd_version(params.speakers)
    return info.SYNTHETIC, f"seed {params.synthetic.seed}, {params.synthetic.takes} takes"


def _recorded(folder: Path, complete: Path, params: DataParams) -> list[Recording]:
    known = manifest.read(complete)
    strangers = sorted(set(params.speakers) - {row.speaker for row in known})
    if strangers:
        raise ManifestError(f"data.speakers names {', '.join(strangers)}, of whom {complete} lists no recording")
    source = download.fetch(folder)
    chosen = [row for row in known if row.speaker in params.speakers]
    for row in set(known) - set(chosen):
        (folder / row.file).unlink(missing_ok=True)
    manifest.verify(folder, chosen, source)
    return chosen


def _synthesised(folder: Path, complete: Path, params: DataParams) -> list[Recording]:
    del complete
    return synthetic.write_corpus(folder, None, params.synthetic)


_SOURCES: dict[str, Callable[[Path, Path, DataParams], list[Recording]]] = {
    "recordings": _recorded,
    "synthetic": _synthesised,
}

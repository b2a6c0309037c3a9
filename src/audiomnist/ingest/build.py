"""The folder of raw recordings, its manifest, and a report on the corpus."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from audiomnist.audio import waveform
from audiomnist.core import atomic
from audiomnist.corpus import info, manifest
from audiomnist.corpus.info import Dataset
from audiomnist.corpus.manifest import ManifestError, Recording
from audiomnist.ingest import download
from audiomnist.ingest.params import DataParams
from audiomnist.synthesis.corpus import write_corpus


def ingest(complete: Path, params: DataParams, raw: Path, recordings: Path, report: Path) -> None:
    """Fill the folder `raw`, which is replaced, with the selected recordings of the manifest `complete`.

    Also written are `recordings`, the manifest of `raw`, and `report`, a JSON of name, version and size of the corpus.

    Raises:
        SourceError: no source can be reached.
        ManifestError: recordings of the source are missing, unexpected or altered.
    """
    with atomic.replaced_directory(raw) as folder:
        if params.source == "recordings":
            listed = manifest.read(complete)
            rows = _fetched(folder, listed, _selected(listed, complete, params.speakers))
            dataset = info.of_recordings(listed, rows, params.name)
        else:
            rows = write_corpus(folder, None, params.synthetic)
            dataset = Dataset(info.SYNTHETIC, f"seed {params.synthetic.seed}, {params.synthetic.takes} takes")
    manifest.write(recordings, rows)
    atomic.write_json(report, {"corpus": _described(raw, rows, dataset)})


def _selected(listed: Sequence[Recording], complete: Path, speakers: Sequence[str] | None) -> list[Recording]:
    if speakers is None:
        return list(listed)
    unknown = sorted(set(speakers) - {row.speaker for row in listed})
    if unknown:
        raise ManifestError(f"data.speakers names {', '.join(unknown)}, of whom {complete} lists no recording")
    return [row for row in listed if row.speaker in speakers]


def _fetched(folder: Path, listed: Sequence[Recording], selected: Sequence[Recording]) -> list[Recording]:
    """Return the selected recordings as they are in `folder`: under their names."""
    source = download.fetch(folder, listed)
    for row in set(listed) - set(selected):
        (folder / row.file).unlink(missing_ok=True)
    manifest.verify(folder, selected, source)
    return [replace(row, source="") for row in selected]


def _described(raw: Path, rows: Sequence[Recording], dataset: Dataset) -> dict[str, Any]:
    """Return name, version and size of the dataset, and the deciles of the durations in seconds."""
    durations_s = np.array([waveform.read(raw / row.file).duration_s for row in rows])
    deciles_s = np.percentile(durations_s, range(10, 100, 10))
    return {
        "dataset": dataset.name,
        "version": dataset.version,
        "recordings": len(rows),
        "speakers": len({row.speaker for row in rows}),
        "seconds": round(float(durations_s.sum()), 3),
        "duration_deciles_s": [round(float(decile), 4) for decile in deciles_s],  # DVC takes no list for a metric
    }

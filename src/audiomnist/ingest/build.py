"""The folder of raw recordings, its manifest, and a report on the corpus."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from audiomnist.audio import waveform
from audiomnist.core import atomic
from audiomnist.corpus import info, manifest
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
            rows = _fetch(folder, complete, params.speakers)
        else:
            rows = write_corpus(folder, None, params.synthetic)
    manifest.write(recordings, rows)
    atomic.write_json(report, {"corpus": _described(raw, rows, params)})


def _fetch(folder: Path, complete: Path, speakers: Sequence[str]) -> list[Recording]:
    rows = manifest.read(complete)
    unknown = sorted(set(speakers) - {row.speaker for row in rows})
    if unknown:
        raise ManifestError(f"data.speakers names {', '.join(unknown)}, of whom {complete} lists no recording")
    source = download.fetch(folder)
    selected = [row for row in rows if row.speaker in speakers]
    for row in set(rows) - set(selected):
        (folder / row.file).unlink(missing_ok=True)
    manifest.verify(folder, selected, source)
    return selected


def _described(raw: Path, rows: Sequence[Recording], params: DataParams) -> dict[str, Any]:
    """Return name, version and size of the dataset, and the deciles of the durations in seconds."""
    name, version = info.FSDD, info.fsdd_version(params.speakers)
    if params.source == "synthetic":
        name, version = info.SYNTHETIC, f"seed {params.synthetic.seed}, {params.synthetic.takes} takes"
    durations_s = np.array([waveform.read(raw / row.file).duration_s for row in rows])
    deciles_s = np.percentile(durations_s, range(10, 100, 10))
    return {
        "dataset": name,
        "version": version,
        "recordings": len(rows),
        "speakers": len({row.speaker for row in rows}),
        "seconds": round(float(durations_s.sum()), 3),
        "duration_deciles_s": [round(float(decile), 4) for decile in deciles_s],  # DVC takes no list for a metric
    }

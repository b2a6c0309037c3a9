"""The folder of raw recordings, its manifest, and a report on the corpus."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from audiomnist.audio import waveform
from audiomnist.audio.waveform import BadAudioError
from audiomnist.core import atomic
from audiomnist.corpus import info, manifest
from audiomnist.corpus.info import Dataset
from audiomnist.corpus.manifest import ManifestError, Recording
from audiomnist.ingest import download
from audiomnist.ingest.params import DataParams
from audiomnist.reviewed import files
from audiomnist.synthesis.corpus import write_corpus


def ingest(  # the paths of a stage in dvc.yaml
    complete: Path,
    params: DataParams,
    reviewed: Path,
    reviewed_files: Path,
    raw: Path,
    recordings: Path,
    report: Path,
) -> None:
    """Fill the folder `raw`, which is replaced, with the selected recordings of the manifest `complete`.

    The recordings of the manifest `reviewed`, from the folder `reviewed_files`, are added, whoever is selected. Also
    written are `recordings`, the manifest of `raw`, and `report`, a JSON of name, version and size of the corpus.

    Raises:
        SourceError: no source can be reached.
        ManifestError: recordings of the source are missing, unexpected, altered, or no sound.
        ReviewedError: reviewed recordings are missing, altered, or have the names of others.
    """
    added = manifest.read(reviewed)
    with atomic.replaced_directory(raw) as folder:
        if params.source == "recordings":
            listed = manifest.read(complete)
            used = _selected(listed, complete, params.speakers)
            _fetch(folder, listed, used)
            dataset = info.of_recordings(listed, used, params.name)
        else:
            used = write_corpus(folder, None, params.synthetic)
            dataset = Dataset(info.SYNTHETIC, f"seed {params.synthetic.seed}, {params.synthetic.takes} takes")
        files.add(reviewed_files, added, folder, used)
        used = [*used, *added]
        durations_s = _durations_s(folder, used)
    manifest.write(recordings, [replace(row, source="") for row in used])
    atomic.write_json(report, {"corpus": _described(durations_s, used, files.dataset_with(dataset, added))})


def _selected(listed: Sequence[Recording], complete: Path, speakers: Sequence[str] | None) -> list[Recording]:
    if speakers is None:
        return list(listed)
    unknown = sorted(set(speakers) - {row.speaker for row in listed})
    if unknown:
        raise ManifestError(f"data.speakers names {', '.join(unknown)}, of whom {complete} lists no recording")
    return [row for row in listed if row.speaker in speakers]


def _fetch(folder: Path, listed: Sequence[Recording], selected: Sequence[Recording]) -> None:
    source = download.fetch(folder, listed)
    for row in set(listed) - set(selected):
        (folder / row.file).unlink(missing_ok=True)
    manifest.verify(folder, selected, source)


def _durations_s(folder: Path, rows: Sequence[Recording]) -> NDArray[np.float64]:
    durations_s, faults = [], []
    for row in rows:
        try:
            durations_s.append(waveform.read(folder / row.file).duration_s)
        except BadAudioError as error:
            faults.append(f"  {manifest.shown(row)}: {error.detail}")
    if faults:
        raise ManifestError("\n".join(["recordings cannot be used, correct or leave them out:", *faults]))
    return np.array(durations_s)


def _described(durations_s: NDArray[np.float64], rows: Sequence[Recording], dataset: Dataset) -> dict[str, Any]:
    """Return name, version and size of the dataset, and the deciles of the durations in seconds."""
    deciles_s = np.percentile(durations_s, range(10, 100, 10))
    return {
        "dataset": dataset.name,
        "version": dataset.version,
        "recordings": len(rows),
        "speakers": len({row.speaker for row in rows}),
        "seconds": round(float(durations_s.sum()), 3),
        "duration_deciles_s": [round(float(decile), 4) for decile in deciles_s],  # DVC takes no list for a metric
    }

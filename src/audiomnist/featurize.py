"""Computing the versioned MFCC tensors: every recording as it is, and its augmented copies."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from rich.progress import track

from audiomnist import atomic, audio
from audiomnist.audio import Samples
from audiomnist.augment import AugmentParams, augment, generator
from audiomnist.corpus import manifest
from audiomnist.corpus.manifest import Recording
from audiomnist.features import INDEX, SETTINGS, TENSOR, FrontEnd, FrontEndParams

_BATCH_CLIPS = 256


class FeatureParams(FrontEndParams):
    """Section `features`: the front end, and the augmented copies beside the clean ones."""

    augment: AugmentParams


@dataclass(frozen=True, eq=False)
class _Version:
    """A recording (copy 0) or one of its augmented copies (1, 2, ...)."""

    file: str
    copy: int
    samples: Samples


def featurize(recordings: Path, raw: Path, params: FeatureParams, out: Path) -> None:
    """Write the tensor, its index and the front end's settings into the folder `out`.

    The tensor is float32 `(rows, coefficients, frames)` in NumPy's format, to be mapped into memory; row i
    is row i of the index (`file`, `copy`, `frames`), and zero after its own `frames`.
    """
    rows = manifest.read(recordings)
    versions = [version for row in track(rows, "augment") for version in _versions(row, raw, params)]
    front_end = FrontEnd(params)
    frames = front_end.frames(torch.tensor([len(version.samples) for version in versions])).numpy()
    with atomic.replaced_directory(out) as folder:
        shape = (len(versions), params.coefficients, int(frames.max()))
        tensor = np.lib.format.open_memmap(folder / TENSOR, mode="w+", dtype=np.float32, shape=shape)
        for start, mfcc in _batches(versions, front_end):
            tensor[start : start + len(mfcc), :, : mfcc.shape[2]] = mfcc
        tensor.flush()
        index = pd.DataFrame(
            {
                "file": [version.file for version in versions],
                "copy": np.array([version.copy for version in versions], dtype=np.int32),
                "frames": frames.astype(np.int32),
            }
        )
        index.to_parquet(folder / INDEX, index=False)
        settings = FrontEndParams.model_validate(params.model_dump(exclude={"augment"}))
        (folder / SETTINGS).write_text(settings.model_dump_json(indent=2) + "\n", encoding="utf-8")


def _versions(row: Recording, raw: Path, params: FeatureParams) -> Iterator[_Version]:
    waveform = audio.read(raw / row.file)
    clean = audio.prepare(waveform, params.sample_rate_hz, params.trim_db, params.max_samples)
    yield _Version(row.file, 0, clean)
    for copy in range(1, params.augment.copies + 1):
        rng = generator(params.augment.seed, row.sha256, copy)
        altered = augment(clean, params.sample_rate_hz, params.augment, rng)
        yield _Version(row.file, copy, altered[: params.max_samples])


def _batches(versions: list[_Version], front_end: FrontEnd) -> Iterator[tuple[int, np.ndarray]]:
    for start in range(0, len(versions), _BATCH_CLIPS):
        samples = [version.samples for version in versions[start : start + _BATCH_CLIPS]]
        waveforms, lengths = audio.pad(samples, at_least=front_end.window_samples)
        with torch.inference_mode():
            mfcc, _ = front_end(torch.from_numpy(waveforms), torch.from_numpy(lengths))
        yield start, mfcc.numpy()

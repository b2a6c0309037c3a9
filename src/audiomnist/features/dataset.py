"""Dataset of MFCC tensors for training and evaluation."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.random import Generator
from numpy.typing import NDArray

from audiomnist.corpus import splits
from audiomnist.corpus.splits import Clip
from audiomnist.features.front_end import FrontEndParams
from audiomnist.features.store import CLIPS, INDEX, SETTINGS, SPEAKERS, SYNTHETIC, TENSOR


class FeatureExamples:
    """MFCC tensors in a folder; a training batch samples one version of each clip."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.front_end = FrontEndParams.model_validate_json((folder / SETTINGS).read_text(encoding="utf-8"))
        self._tensor: NDArray[np.float32] = np.load(folder / TENSOR, mmap_mode="r", allow_pickle=False)
        index = pd.read_parquet(folder / INDEX)
        self._frames = index["frames"].to_numpy(dtype=np.int64)
        self._copies = index["copy"].to_numpy(dtype=np.int64)
        self._rows: dict[str, NDArray[np.int64]] = {
            str(file): rows.index.to_numpy(dtype=np.int64)
            for file, rows in index.sort_values("copy", kind="stable").groupby("file", sort=False)
        }

    def synthetic(self) -> "tuple[FeatureExamples, list[Clip], dict[str, Any]] | None":
        """Return the tensors of synthetic speakers, their clips and their parameters; None if there are none."""
        folder = self._folder / SYNTHETIC
        if not folder.is_dir():
            return None
        description = json.loads((folder / SPEAKERS).read_text(encoding="utf-8"))
        return FeatureExamples(folder), splits.read(folder / CLIPS), description

    def get(self, files: list[str]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return the unaltered MFCCs `(batch, coefficients, frames)` and frames `(batch,)`."""
        return self._take(np.array([self._rows[file][0] for file in files], dtype=np.int64))

    def sample(
        self, files: list[str], clean_prob: float, rng: Generator
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return each file unaltered with probability `clean_prob`, or else one of its augmented copies."""
        drawn = []
        for file, is_clean in zip(files, rng.random(len(files)) < clean_prob, strict=True):
            rows = self._rows[file]
            copies = rows[self._copies[rows] > 0]
            drawn.append(rng.choice(rows[:1] if is_clean or len(copies) == 0 else copies))
        return self._take(np.array(drawn, dtype=np.int64))

    def input_spec(self) -> dict[str, Any]:
        """Return what the scorer has to know to prepare inputs: the bundle's `input` section."""
        return {"kind": "waveform", "front_end": json.loads(self.front_end.model_dump_json())}

    def _take(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        frames = self._frames[rows]
        return self._tensor[rows][:, :, : int(frames.max())], frames

"""The versioned MFCC tensors as training examples, and the graph that a network trained on them is served in."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor, nn

from audiomnist.features.mfcc import FrontEnd, FrontEndParams
from audiomnist.features.store import INDEX, SETTINGS, TENSOR


class WithFrontEnd(nn.Module):
    """The front end before a network: waveforms `(batch, samples)` and lengths in, whatever the network returns out."""

    def __init__(self, front_end: FrontEnd, network: nn.Module) -> None:
        super().__init__()
        self.front_end = front_end
        self.network = network

    def forward(self, waveforms: Tensor, lengths: Tensor) -> Any:
        """Return what the network makes of the waveforms' MFCCs."""
        return self.network(*self.front_end(waveforms, lengths))


class FeatureExamples:
    """The versioned tensors as training examples; a training batch draws one copy of each clip."""

    def __init__(self, folder: Path) -> None:
        self.front_end = FrontEndParams.model_validate_json((folder / SETTINGS).read_text(encoding="utf-8"))
        self._tensor: NDArray[np.float32] = np.load(folder / TENSOR, mmap_mode="r", allow_pickle=False)
        index = pd.read_parquet(folder / INDEX)
        self._frames = index["frames"].to_numpy(dtype=np.int64)
        self._copies = index["copy"].to_numpy(dtype=np.int64)
        self._rows: dict[str, NDArray[np.int64]] = {
            str(file): rows.index.to_numpy(dtype=np.int64)
            for file, rows in index.sort_values("copy", kind="stable").groupby("file", sort=False)
        }

    def clean(self, files: list[str]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return the unaltered MFCCs `(batch, coefficients, frames)` and frames `(batch,)`."""
        return self._take(np.array([self._rows[file][0] for file in files], dtype=np.int64))

    def drawn(
        self, files: list[str], clean_share: float, rng: Generator
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return each file as it is, with the probability `clean_share`, or one of its augmented copies."""
        is_clean = rng.random(len(files)) < clean_share
        rows = [self._drawn_row(self._rows[file], clean, rng) for file, clean in zip(files, is_clean, strict=True)]
        return self._take(np.array(rows, dtype=np.int64))

    def _drawn_row(self, rows: NDArray[np.int64], clean: np.bool_, rng: Generator) -> np.int64:
        copies = rows[self._copies[rows] > 0]
        wanted = rows[:1] if clean or len(copies) == 0 else copies
        drawn: np.int64 = rng.choice(wanted)
        return drawn

    def clean_tensors(self, files: list[str]) -> tuple[Tensor, Tensor]:
        """Return what `clean` returns, as PyTorch's tensors."""
        mfcc, frames = self.clean(files)
        return torch.from_numpy(mfcc), torch.from_numpy(frames)

    def served(self, files: list[str]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return noise of the clips' lengths: waveforms `(batch, samples)` and samples `(batch,)`."""
        _, frames = self.clean(files)
        lengths = (frames - 1) * self.front_end.hop_samples + self.front_end.window_samples
        noise = np.random.default_rng(0).uniform(-1, 1, (len(files), int(lengths.max())))
        noise[np.arange(noise.shape[1]) >= lengths[:, None]] = 0
        return noise.astype(np.float32), lengths

    def deployable(self, network: nn.Module) -> nn.Module:
        """Return the network with the front end before it."""
        return WithFrontEnd(FrontEnd(self.front_end), network)

    def service(self) -> dict[str, Any]:
        """Return what the scorer has to know to prepare inputs: the bundle's `input` section."""
        return {"kind": "waveform", "front_end": json.loads(self.front_end.model_dump_json())}

    def _take(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        frames = self._frames[rows]
        return self._tensor[rows][:, :, : int(frames.max())], frames

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

from audiomnist.features import INDEX, SETTINGS, TENSOR, FrontEnd, FrontEndParams

_MASKS = 2


class Scaling(nn.Module):
    """The first step of every network over MFCCs: each coefficient at mean 0 and deviation 1 of the training part.

    In training, two stretches of each clip are set to the mean (time masking, Park et al. 2019, SpecAugment).
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, mean: Tensor, deviation: Tensor, masked_fraction: float) -> None:
        """Take float32 `(coefficients,)` twice, and the longest mask as a share of the clip, in [0, 1)."""
        super().__init__()
        self.register_buffer("mean", mean.reshape(1, -1, 1))
        self.register_buffer("deviation", deviation.reshape(1, -1, 1))
        self.masked_fraction = masked_fraction

    def forward(self, mfcc: Tensor, frames: Tensor) -> Tensor:
        """Return float32 `(batch, coefficients, frames)` of as many MFCCs."""
        scaled = (mfcc - self.mean) / self.deviation
        if self.training:
            for _ in range(_MASKS):
                scaled = scaled * self._kept(frames, mfcc.shape[2]).unsqueeze(1)
        return scaled

    def _kept(self, frames: Tensor, steps: int) -> Tensor:
        """Return bool `(batch, steps)`, False in one stretch of random length and place in each clip."""
        width = torch.rand(len(frames), device=frames.device) * self.masked_fraction * frames
        start = torch.rand(len(frames), device=frames.device) * (frames - width)
        step = torch.arange(steps, device=frames.device)
        return (step < start.unsqueeze(1)) | (step >= (start + width).unsqueeze(1))


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
        self._rows: dict[str, NDArray[np.int64]] = {
            str(file): rows.index.to_numpy(dtype=np.int64)
            for file, rows in index.sort_values("copy", kind="stable").groupby("file", sort=False)
        }

    def clean(self, files: list[str]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return the unaltered MFCCs `(batch, coefficients, frames)` and frames `(batch,)`."""
        return self._take(np.array([self._rows[file][0] for file in files], dtype=np.int64))

    def drawn(self, files: list[str], rng: Generator) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return, for each file, one of its copies, the clean one among them."""
        return self._take(np.array([rng.choice(self._rows[file]) for file in files], dtype=np.int64))

    def statistics(self, files: list[str]) -> tuple[Tensor, Tensor]:
        """Return mean and standard deviation of each coefficient over the clips' own frames."""
        tensor, frames = self.clean(files)
        valid = np.arange(tensor.shape[2])[None, :] < frames[:, None]
        values = tensor.transpose(0, 2, 1)[valid]  # (frames of all clips, coefficients)
        return torch.from_numpy(values.mean(axis=0)), torch.from_numpy(values.std(axis=0) + 1e-3)

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

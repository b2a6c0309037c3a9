"""Log-mel spectrograms from MFCCs, normalized per clip and per band, with SpecAugment masks and VTLP in training.

MFCCs are an orthonormal transform of log-mel bands, so its transpose restores the bands (smoothed, if there are fewer
coefficients than bands). Filters then see formants, and training can mask and shift bands.
"""

import math
from abc import ABC
from collections.abc import Mapping
from typing import Any, Self

import torch
import torchaudio
from torch import Tensor, nn

from audiomnist.features.front_end import FrontEndParams
from audiomnist.models.common.base import Network
from audiomnist.models.common.params import LogMelInputParams
from audiomnist.models.common.recurrent import length_mask

_MASKS = 2
_VTLP_FACTORS = 21
_MIN_STD_DB = 1e-3


class LogMelInput(nn.Module):
    """First layer of the networks over MFCCs."""

    def __init__(self, params: LogMelInputParams, front_end: FrontEndParams) -> None:
        super().__init__()
        self.params = params
        self.bands = front_end.n_mels
        self.augments = True
        transform = torchaudio.functional.create_dct(front_end.n_mfcc, front_end.n_mels, norm="ortho")
        self.to_bands = nn.Buffer(transform.contiguous(), persistent=False)  # (bands, coefficients)
        self.vtlp_matrices = nn.Buffer(vtlp_matrices(front_end, params.vtlp_range), persistent=False)
        self.mean: Tensor = nn.Buffer(torch.zeros(1, self.bands, 1))
        self.std: Tensor = nn.Buffer(torch.ones(1, self.bands, 1))

    def fit(self, mfcc: Tensor, frames: Tensor) -> None:
        """Set mean and standard deviation of each band to those of MFCCs `(clips, coefficients, frames)`."""
        bands = self._floor_and_center(torch.matmul(self.to_bands, mfcc), frames)
        values = bands.transpose(1, 2)[length_mask(frames, mfcc.shape[2])]  # (frames of all clips, bands)
        self.mean = values.mean(dim=0).reshape(1, -1, 1)
        self.std = values.std(dim=0).clamp(min=_MIN_STD_DB).reshape(1, -1, 1)

    def forward(self, mfcc: Tensor, frames: Tensor | None) -> Tensor:
        """Return float32 `(batch, bands, frames)` of MFCCs `(batch, coefficients, frames)`.

        Without `frames` there is no padding, and training draws no masks.
        """
        bands = torch.matmul(self.to_bands, mfcc)
        if self.training and self.augments and self.params.vtlp_range > 0:
            factors = torch.randint(_VTLP_FACTORS, (len(bands),), device=bands.device)
            bands = torch.matmul(self.vtlp_matrices[factors], bands)
        scaled = (self._floor_and_center(bands, frames) - self.mean) / self.std
        if self.training and frames is not None:
            all_bands = torch.full((len(scaled),), self.bands, device=scaled.device)
            for _ in range(_MASKS):
                time_mask = _random_mask(self.params.time_mask_fraction * frames, frames, scaled.shape[2])
                freq_mask = _random_mask(all_bands.clamp(max=self.params.freq_mask_bands), all_bands, self.bands)
                scaled = scaled * time_mask.unsqueeze(1) * freq_mask.unsqueeze(2)
        return scaled

    def _floor_and_center(self, bands: Tensor, frames: Tensor | None) -> Tensor:
        """Apply `top_db` and `cmn_strength` to each clip, over its unpadded frames."""
        if frames is None:
            bands = torch.maximum(bands, bands.amax(dim=(1, 2), keepdim=True) - self.params.top_db)
            means = bands.mean(dim=2, keepdim=True)
        else:
            mask = length_mask(frames, bands.shape[2]).unsqueeze(1)  # (batch, 1, frames)
            maximum = bands.masked_fill(~mask, -1e30).amax(dim=(1, 2), keepdim=True)
            bands = torch.maximum(bands, maximum - self.params.top_db)
            means = (bands * mask).sum(dim=2, keepdim=True) / frames[:, None, None].to(bands.dtype)
        return bands - self.params.cmn_strength * means


class LogMelNetwork(Network, ABC):
    """A network whose first layer, `spectrum`, is a `LogMelInput`."""

    def __init__(self, params: LogMelInputParams, front_end: FrontEndParams) -> None:
        super().__init__()
        self.spectrum = LogMelInput(params, front_end)

    @classmethod
    def build(cls, params: Any, input_spec: Mapping[str, Any]) -> Self:
        """Return an untrained network over the MFCCs that the section `input` of bundle.json describes."""
        return cls(params, FrontEndParams.model_validate(input_spec["front_end"]))

    def augment(self, *, enabled: bool) -> None:
        """Switch vocal tract length perturbation in training mode on or off; masks stay."""
        self.spectrum.augments = enabled

    def scale_by(self, inputs: Tensor, lengths: Tensor) -> None:
        """Scale each band by its mean and standard deviation over these MFCCs."""
        self.spectrum.fit(inputs, lengths)


def _random_mask(longest: Tensor, available: Tensor, steps: int) -> Tensor:
    """Return bool `(batch, steps)`: False in one random span of each row (SpecAugment, Park et al. 2019)."""
    width = torch.rand(len(available), device=available.device) * longest
    start = torch.rand(len(available), device=available.device) * (available - width + 1) - 1
    step = torch.arange(steps, device=available.device)
    return (step < start.unsqueeze(1)) | (step >= (start + width).unsqueeze(1))


def vtlp_matrices(front_end: FrontEndParams, vtlp_range: float) -> Tensor:
    """Return float32 `(21, bands, bands)`: each matrix warps the frequency axis by one factor.

    A warped band takes the level at a multiple of its centre frequency, by linear interpolation between bands and that
    of the outermost band beyond them. Factors are evenly spaced on a log scale in [exp(-vtlp_range), exp(vtlp_range)].
    """
    low, high = (2595 * math.log10(1 + edge_hz / 700) for edge_hz in (front_end.f_min, front_end.f_max))  # HTK's mel
    centres = torch.linspace(low, high, front_end.n_mels + 2, dtype=torch.float64)[1:-1]
    factors = torch.linspace(-vtlp_range, vtlp_range, _VTLP_FACTORS, dtype=torch.float64).exp()
    sources = 2595 * torch.log10(1 + factors.unsqueeze(1) * (10 ** (centres / 2595) - 1))  # (21, bands), in mel
    spacing = (high - low) / (front_end.n_mels + 1)
    positions = ((sources - centres[0]) / spacing).clamp(0, front_end.n_mels - 1)
    distance = (positions.unsqueeze(2) - torch.arange(front_end.n_mels, dtype=torch.float64)).abs()
    return (1 - distance).clamp(min=0).float()

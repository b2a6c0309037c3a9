"""How a network sees MFCCs: as mel bands again, freed in part from the microphone, each at mean 0 and deviation 1.

MFCCs are an orthonormal transform of mel bands, so one small matrix takes them back to where neighbours belong
together: there filters see formants, and training can hide and shift bands.
"""

import math

import torch
import torchaudio
from torch import Tensor, nn

from audiomnist.features.front_end import FrontEndParams
from audiomnist.models.common.params import LogMelInputParams
from audiomnist.models.common.recurrent import valid

_MASKS = 2
_WARPINGS = 21
_LEAST_DEVIATION_DB = 1e-3


class LogMelInput(nn.Module):
    """The first step of every network over MFCCs."""

    to_bands: Tensor
    warpings: Tensor
    mean: Tensor
    deviation: Tensor

    def __init__(self, params: LogMelInputParams, front_end: FrontEndParams) -> None:
        super().__init__()
        self.params = params
        self.varies = True
        transform = torchaudio.functional.create_dct(front_end.n_mfcc, front_end.n_mels, norm="ortho")
        self.register_buffer("to_bands", transform.contiguous(), persistent=False)  # (bands, coefficients)
        self.register_buffer("warpings", warpings(front_end, params.vtlp_range), persistent=False)
        self.register_buffer("mean", torch.zeros(1, front_end.n_mels, 1))
        self.register_buffer("deviation", torch.ones(1, front_end.n_mels, 1))

    def fit(self, mfcc: Tensor, frames: Tensor) -> None:
        """Set mean and deviation of each band to those of clips.

        Args:
            mfcc: float32 `(clips, coefficients, frames)`, zeros after each clip's own frames.
            frames: int64 `(clips,)`.
        """
        levelled = self._levelled(torch.matmul(self.to_bands, mfcc), frames)
        values = levelled.transpose(1, 2)[valid(frames, mfcc.shape[2])]  # (frames of all clips, bands)
        self.mean = values.mean(dim=0).reshape(1, -1, 1)
        self.deviation = values.std(dim=0).clamp(min=_LEAST_DEVIATION_DB).reshape(1, -1, 1)

    @property
    def bands(self) -> int:
        """How many bands come out."""
        return len(self.to_bands)

    def forward(self, mfcc: Tensor, frames: Tensor | None) -> Tensor:
        """Return float32 `(batch, bands, frames)` of MFCCs `(batch, coefficients, frames)`.

        Training masks stretches of each clip and therefore needs `frames`.
        """
        bands = torch.matmul(self.to_bands, mfcc)
        if self.training and self.varies and self.params.vtlp_range > 0:
            bands = torch.matmul(self.warpings[torch.randint(_WARPINGS, (len(bands),), device=bands.device)], bands)
        scaled = (self._levelled(bands, frames) - self.mean) / self.deviation
        if self.training and frames is not None:
            for _ in range(_MASKS):
                scaled = scaled * self._kept_steps(frames, scaled.shape[2]).unsqueeze(1)
                scaled = scaled * self._kept_bands(scaled).unsqueeze(2)
        return scaled

    def _levelled(self, bands: Tensor, frames: Tensor | None) -> Tensor:
        bands = torch.maximum(bands, _loudest(bands, frames) - self.params.top_db)
        return bands - self.params.cmn_strength * _means(bands, frames)

    def _kept_steps(self, frames: Tensor, steps: int) -> Tensor:
        return _outside_a_stretch(self.params.time_mask_fraction * frames, frames, steps)

    def _kept_bands(self, scaled: Tensor) -> Tensor:
        bands = torch.full((len(scaled),), scaled.shape[1], device=scaled.device)
        return _outside_a_stretch(
            torch.full_like(bands, self.params.freq_mask_bands).clamp(max=self.bands), bands, self.bands
        )


def _loudest(bands: Tensor, frames: Tensor | None) -> Tensor:
    """Return the highest level of each clip's own frames, `(batch, 1, 1)`."""
    if frames is not None:
        bands = bands.masked_fill(~valid(frames, bands.shape[2]).unsqueeze(1), -1e30)
    return bands.amax(dim=(1, 2), keepdim=True)


def _means(bands: Tensor, frames: Tensor | None) -> Tensor:
    """Return each band's mean over the clip's own frames, `(batch, bands, 1)`."""
    if frames is None:
        return bands.mean(dim=2, keepdim=True)
    own = bands * valid(frames, bands.shape[2]).unsqueeze(1)
    return own.sum(dim=2, keepdim=True) / frames[:, None, None].to(bands.dtype)


def _outside_a_stretch(longest: Tensor, available: Tensor, steps: int) -> Tensor:
    """Return bool `(batch, steps)`, False in one stretch of random length and place of each row (SpecAugment)."""
    width = torch.rand(len(available), device=available.device) * longest
    start = torch.rand(len(available), device=available.device) * (available - width + 1) - 1
    step = torch.arange(steps, device=available.device)
    return (step < start.unsqueeze(1)) | (step >= (start + width).unsqueeze(1))


def warpings(front_end: FrontEndParams, warp: float) -> Tensor:
    """Return float32 `(21, bands, bands)`: each matrix gives a band what stood at a multiple of its frequency.

    The factors are spread evenly in the logarithm over [exp(-warp), exp(warp)]; between two bands the level is
    interpolated, beyond the outer ones it is theirs.
    """
    low, high = (_mel(edge_hz) for edge_hz in (front_end.f_min, front_end.f_max))
    centres = torch.linspace(low, high, front_end.n_mels + 2, dtype=torch.float64)[1:-1]
    factors = torch.linspace(-warp, warp, _WARPINGS, dtype=torch.float64).exp()
    sources = 2595 * torch.log10(1 + factors.unsqueeze(1) * (10 ** (centres / 2595) - 1))  # (21, bands), in mel
    spacing = (high - low) / (front_end.n_mels + 1)
    positions = ((sources - centres[0]) / spacing).clamp(0, front_end.n_mels - 1)
    distance = (positions.unsqueeze(2) - torch.arange(front_end.n_mels, dtype=torch.float64)).abs()
    return (1 - distance).clamp(min=0).float()


def _mel(frequency_hz: float) -> float:
    """Return HTK's mel."""
    return 2595 * math.log10(1 + frequency_hz / 700)

"""Convolutions over spectra in one batch, computed so that padding changes no answer; without lengths there is none."""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from audiomnist.models.common.recurrent import valid

_SQUEEZE = 4


class Convolutions(nn.Module):
    """Layers of convolution, batch normalization and ReLU over spectra taken as images; each halves both axes.

    Residual blocks may follow each of them.
    """

    def __init__(self, channels: Sequence[int], kernel_size: int, downsampling: str, blocks: Sequence[int]) -> None:
        super().__init__()
        sizes = zip((1, *channels), channels, strict=False)
        self.layers = nn.ModuleList(
            _Convolution(inputs, outputs, kernel_size, downsampling) for inputs, outputs in sizes
        )
        self.blocks = nn.ModuleList(
            nn.Sequential(*[_Residual(count) for _ in range(wanted)])
            for count, wanted in zip(channels, blocks, strict=True)
        )
        self.channels = channels

    def features(self, bands: int) -> int:
        """Return how many numbers come out per step."""
        for _ in self.channels:
            bands = (bands + 1) // 2
        return bands * (self.channels[-1] if self.channels else 1)

    def forward(self, spectra: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Return a sequence `(batch, steps, features)` of spectra `(batch, bands, frames)`, and its lengths."""
        image = spectra.unsqueeze(1)  # (batch, 1, bands, frames)
        if self.channels:
            image = _masked(image, lengths)
        for layer, blocks in zip(self.layers, self.blocks, strict=True):
            image, lengths = layer(image, lengths)  # (batch, channels, rows, steps), halved each time
            for block in cast("nn.Sequential", blocks):
                image = block(image, lengths)
        return image.flatten(1, 2).transpose(1, 2), lengths


class _Convolution(nn.Module):
    """One convolution that halves both axes; zeros outside each clip's own steps go in, and come out."""

    def __init__(self, inputs: int, outputs: int, kernel_size: int, downsampling: str) -> None:
        super().__init__()
        self.pools = downsampling == "max_pool"
        self.pad = nn.Identity() if kernel_size % 2 else nn.ZeroPad2d((0, 1, 0, 1))
        self.convolve = nn.Conv2d(
            inputs, outputs, kernel_size, stride=1 if self.pools else 2, padding=(kernel_size - 1) // 2, bias=False
        )
        self.normalize = nn.BatchNorm2d(outputs)
        self.pool = nn.MaxPool2d(2, ceil_mode=True) if self.pools else nn.Identity()

    def forward(self, image: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor | None]:
        activated = functional.relu(self.normalize(self.convolve(self.pad(image))))
        halved = None if lengths is None else (lengths + 1) // 2
        return self.pool(_masked(activated, lengths if self.pools else halved)), halved


class _Residual(nn.Module):
    """Two convolutions beside the identity (He et al. 2016), channels weighted (squeeze-excitation, Hu et al. 2018)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first, self.second = (nn.Conv2d(channels, channels, 3, padding=1, bias=False) for _ in range(2))
        self.normalise_first, self.normalise_second = (nn.BatchNorm2d(channels) for _ in range(2))
        squeezed = max(1, channels // _SQUEEZE)
        self.weigh = nn.Sequential(
            nn.Conv2d(channels, squeezed, 1), nn.ReLU(), nn.Conv2d(squeezed, channels, 1), nn.Sigmoid()
        )

    def forward(self, image: Tensor, lengths: Tensor | None) -> Tensor:
        activated = _masked(functional.relu(self.normalise_first(self.first(image))), lengths)
        changed = self.normalise_second(self.second(activated))  # (batch, channels, rows, steps)
        weights = self.weigh(_mean(changed, lengths))  # (batch, channels, 1, 1)
        return _masked(functional.relu(image + changed * weights), lengths)


def _mean(image: Tensor, lengths: Tensor | None) -> Tensor:
    """Return each channel's mean over rows and the clip's own steps, `(batch, channels, 1, 1)`."""
    if lengths is None:
        return functional.adaptive_avg_pool2d(image, 1)
    own = valid(lengths, image.shape[3]).unsqueeze(2).to(image.dtype)  # (batch, steps, 1)
    return (torch.matmul(image.mean(dim=2), own) / lengths[:, None, None]).unsqueeze(3)


def _masked(image: Tensor, lengths: Tensor | None) -> Tensor:
    if lengths is None:
        return image
    return image * valid(lengths, image.shape[3])[:, None, None, :].to(image.dtype)

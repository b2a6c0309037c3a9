"""Convolutional layers that mask the padding of clips; lengths are None if there is none."""

import math
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from audiomnist.models.common.params import ConvStackParams
from audiomnist.models.common.recurrent import length_mask

_SQUEEZE_RATIO = 4


class ConvStack(nn.Module):
    """Convolutional layers over spectrograms; each halves both axes and may be followed by residual blocks."""

    def __init__(self, params: ConvStackParams, downsampling: str) -> None:
        super().__init__()
        self.channels = params.channels
        self.layers = nn.ModuleList(
            _ConvLayer(inputs, outputs, params.kernel_size, downsampling)
            for inputs, outputs in pairwise((1, *params.channels))
        )
        self.blocks = nn.ModuleList(
            nn.Sequential(*[SqueezeExcitationBlock(size) for _ in range(count)])
            for size, count in zip(params.channels, params.residual_blocks, strict=True)
        )

    def features(self, bands: int) -> int:
        """Return the number of output features per step for that many input bands."""
        rows = math.ceil(bands / 2.0 ** len(self.channels))
        return rows * (self.channels[-1] if self.channels else 1)

    def forward(self, spectra: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Return sequences `(batch, steps, features)` of spectra `(batch, bands, frames)`, and their lengths."""
        image = spectra.unsqueeze(1)  # (batch, 1, bands, frames)
        if self.channels:
            image = _masked(image, lengths)
        for layer, blocks in zip(self.layers, self.blocks, strict=True):
            image, lengths = layer(image, lengths)  # (batch, channels, rows, steps)
            for block in cast("nn.Sequential", blocks):
                image = block(image, lengths)
        return image.flatten(1, 2).transpose(1, 2), lengths


class _ConvLayer(nn.Module):
    """Convolution, batch normalization and ReLU; halves both axes. Input and output are zero in the padding."""

    def __init__(self, inputs: int, outputs: int, kernel_size: int, downsampling: str) -> None:
        super().__init__()
        self.pools = downsampling == "max_pool"
        stride = 1 if self.pools else 2
        self.pad = nn.Identity() if kernel_size % 2 else nn.ZeroPad2d((0, 1, 0, 1))
        self.conv = nn.Conv2d(inputs, outputs, kernel_size, stride, padding=(kernel_size - 1) // 2, bias=False)
        self.norm = nn.BatchNorm2d(outputs)
        self.pool = nn.MaxPool2d(2, ceil_mode=True) if self.pools else nn.Identity()

    def forward(self, image: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor | None]:
        activated = functional.relu(self.norm(self.conv(self.pad(image))))
        halved = None if lengths is None else (lengths + 1) // 2
        return self.pool(_masked(activated, lengths if self.pools else halved)), halved


class SqueezeExcitationBlock(nn.Module):
    """Residual block (He et al. 2016) with squeeze-and-excitation of its channels (Hu et al. 2018)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(channels)
        self.norm2 = nn.BatchNorm2d(channels)
        squeezed = max(1, channels // _SQUEEZE_RATIO)
        self.excite = nn.Sequential(
            nn.Conv2d(channels, squeezed, 1), nn.ReLU(), nn.Conv2d(squeezed, channels, 1), nn.Sigmoid()
        )

    def forward(self, image: Tensor, lengths: Tensor | None) -> Tensor:
        """Return `(batch, channels, rows, steps)` of an image of that shape."""
        activated = _masked(functional.relu(self.norm1(self.conv1(image))), lengths)
        residual = self.norm2(self.conv2(activated))
        if lengths is None:
            means = functional.adaptive_avg_pool2d(residual, 1)  # (batch, channels, 1, 1)
        else:
            mask = length_mask(lengths, image.shape[3]).unsqueeze(2).to(image.dtype)  # (batch, steps, 1)
            means = (torch.matmul(residual.mean(dim=2), mask) / lengths[:, None, None]).unsqueeze(3)
        return _masked(functional.relu(image + residual * self.excite(means)), lengths)


def _masked(image: Tensor, lengths: Tensor | None) -> Tensor:
    """Return the image with zeros in the padding."""
    if lengths is None:
        return image
    return image * length_mask(lengths, image.shape[3])[:, None, None, :].to(image.dtype)

"""Convolutional network over log-mel spectrograms."""

from typing import Literal

from pydantic import Field, PositiveInt
from torch import Tensor, nn

from audiomnist.core.digits import CLASSES
from audiomnist.features.dataset import FeatureExamples
from audiomnist.features.mfcc import FrontEndParams
from audiomnist.models.common.base import Architecture
from audiomnist.models.common.conv import ConvStack, ConvStackParams
from audiomnist.models.common.recurrent import mean_max_pool
from audiomnist.models.common.spectrogram import LogMelInputParams, LogMelNetwork


class CnnParams(ConvStackParams, LogMelInputParams):
    """Section `models.cnn`.

    Attributes:
        channels: filters of each layer, at least one layer.
        downsampling: how each layer halves both axes: `stride` of its convolution, or `max_pool` after it.
        dropout: probability that a pooled feature is set to zero in training.
    """

    channels: tuple[PositiveInt, ...] = Field(min_length=1)
    downsampling: Literal["stride", "max_pool"]
    dropout: float = Field(ge=0, lt=1)


class Cnn(LogMelNetwork):
    """Convolutional layers, mean and maximum over time, and a linear layer."""

    def __init__(self, params: CnnParams, front_end: FrontEndParams) -> None:
        super().__init__(params, front_end)
        self.layers = ConvStack(params.channels, params.kernel_size, params.downsampling, params.residual_blocks)
        features = 2 * self.layers.features(self.spectrum.bands)
        self.classify = nn.Sequential(nn.Dropout(params.dropout), nn.Linear(features, CLASSES))

    def embed(self, inputs: Tensor, lengths: Tensor | None) -> Tensor:
        """Return features of MFCCs `(batch, coefficients, frames)`: mean and maximum of each channel and row."""
        return mean_max_pool(*self.layers(self.spectrum(inputs, lengths), lengths))


ARCHITECTURE = Architecture(CnnParams, FeatureExamples, Cnn.build)

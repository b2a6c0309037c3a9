"""Convolutional network over log-mel spectrograms."""

from torch import Tensor, nn

from audiomnist.core.digits import CLASSES
from audiomnist.features.dataset import FeatureExamples
from audiomnist.features.front_end import FrontEndParams
from audiomnist.models.common.base import Architecture
from audiomnist.models.common.conv import ConvStack
from audiomnist.models.common.recurrent import mean_max_pool
from audiomnist.models.common.spectrogram import LogMelNetwork
from audiomnist.models.params.cnn import CnnParams


class Cnn(LogMelNetwork):
    """Convolutional layers, mean and maximum over time, and a linear layer."""

    def __init__(self, params: CnnParams, front_end: FrontEndParams) -> None:
        super().__init__(params, front_end)
        self.layers = ConvStack(params, params.downsampling)
        features = 2 * self.layers.features(self.spectrum.bands)
        self.classify = nn.Sequential(nn.Dropout(params.dropout), nn.Linear(features, CLASSES))

    def embed(self, inputs: Tensor, lengths: Tensor | None) -> Tensor:
        """Return features of MFCCs `(batch, coefficients, frames)`: mean and maximum of each channel and row."""
        return mean_max_pool(*self.layers(self.spectrum(inputs, lengths), lengths))


ARCHITECTURE = Architecture(CnnParams, FeatureExamples, Cnn.build)

"""A convolutional network over MFCCs taken as an image: mel bands by frames."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from audiomnist.core.digits import CLASSES
from audiomnist.features.dataset import FeatureExamples
from audiomnist.features.front_end import FrontEndParams
from audiomnist.models.common.base import Architecture, Network
from audiomnist.models.common.conv import Convolutions
from audiomnist.models.common.recurrent import pool
from audiomnist.models.common.spectrogram import LogMelInput
from audiomnist.models.params.cnn import CnnParams


class Cnn(Network):
    """Layers of convolution, batch normalization and ReLU; mean and maximum over time; one linear layer."""

    def __init__(self, params: CnnParams, spectrum: LogMelInput) -> None:
        super().__init__()
        self.spectrum = spectrum
        self.layers = Convolutions(params.channels, params.kernel_size, params.downsampling, params.residual_blocks)
        features = 2 * self.layers.features(spectrum.bands)
        self.classify = nn.Sequential(nn.Dropout(params.dropout), nn.Linear(features, CLASSES))

    def vary(self, *, wanted: bool) -> None:
        """Say whether training stretches spectra."""
        self.spectrum.varies = wanted

    def scale_by(self, inputs: Tensor, lengths: Tensor) -> None:
        """Scale each band by its mean and deviation over these MFCCs."""
        self.spectrum.fit(inputs, lengths)

    def embed(self, inputs: Tensor, lengths: Tensor | None) -> Tensor:
        """Return features of MFCCs `(batch, coefficients, frames)`: mean and maximum of each channel and row."""
        return pool(*self.layers(self.spectrum(inputs, lengths), lengths))  # of (batch, columns, channels * rows)


def build(params: CnnParams, given: Mapping[str, Any]) -> Cnn:
    """Return an untrained network over the MFCCs of the bundle's front end."""
    return Cnn(params, LogMelInput(params, FrontEndParams.model_validate(given["front_end"])))


ARCHITECTURE = Architecture(CnnParams, FeatureExamples, build)

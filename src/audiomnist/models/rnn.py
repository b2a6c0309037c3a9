"""A recurrent network over MFCC frames, which strided convolutions may have summed up first."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from audiomnist.core.digits import CLASSES
from audiomnist.features.dataset import FeatureExamples
from audiomnist.features.front_end import FrontEndParams
from audiomnist.models.common.base import Architecture, Network
from audiomnist.models.common.conv import Convolutions
from audiomnist.models.common.recurrent import Recurrent, pool
from audiomnist.models.common.spectrogram import LogMelInput
from audiomnist.models.params.rnn import RnnParams


class Rnn(Network):
    """Convolutions; bidirectional recurrent layers; mean and maximum over time; one linear layer."""

    def __init__(self, params: RnnParams, spectrum: LogMelInput) -> None:
        super().__init__()
        self.spectrum = spectrum
        self.convolutions = Convolutions(params.channels, params.kernel_size, "stride", params.residual_blocks)
        self.recurrent = Recurrent(self.convolutions.features(spectrum.bands), params)
        self.classify = nn.Linear(2 * self.recurrent.features, CLASSES)

    def vary(self, *, wanted: bool) -> None:
        """Say whether training stretches spectra."""
        self.spectrum.varies = wanted

    def scale_by(self, inputs: Tensor, lengths: Tensor) -> None:
        """Scale each band by its mean and deviation over these MFCCs."""
        self.spectrum.fit(inputs, lengths)

    def embed(self, inputs: Tensor, lengths: Tensor | None) -> Tensor:
        """Return features of MFCCs `(batch, coefficients, frames)`: mean and maximum of each state."""
        steps, own = self.convolutions(self.spectrum(inputs, lengths), lengths)  # (batch, steps, features)
        return pool(self.recurrent(steps, own), own)  # of (batch, steps, 2 * units)


def build(params: RnnParams, given: Mapping[str, Any]) -> Rnn:
    """Return an untrained network over the MFCCs of the bundle's front end."""
    return Rnn(params, LogMelInput(params, FrontEndParams.model_validate(given["front_end"])))


ARCHITECTURE = Architecture(RnnParams, FeatureExamples, build)

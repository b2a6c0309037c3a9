"""A recurrent network over MFCC frames, which strided convolutions may have summed up first."""

from torch import Tensor, nn

from audiomnist.core.digits import CLASSES
from audiomnist.features.dataset import FeatureExamples
from audiomnist.models.common.base import Architecture, Network
from audiomnist.models.common.conv import Convolutions, ConvolutionsParams
from audiomnist.models.common.recurrent import Recurrent, RecurrentParams, pool
from audiomnist.models.common.spectrogram import Spectrum, SpectrumParams


class RnnParams(RecurrentParams, ConvolutionsParams, SpectrumParams):
    """Section `models.rnn`: no `channels` leave the recurrent layers the spectra themselves."""


class Rnn(Network):
    """Convolutions; bidirectional recurrent layers; mean and maximum over time; one linear layer."""

    def __init__(self, params: RnnParams, spectrum: Spectrum) -> None:
        super().__init__()
        self.spectrum = spectrum
        self.convolutions = Convolutions(params.channels, params.kernel, "stride", params.blocks)
        self.recurrent = Recurrent(self.convolutions.features(spectrum.bands), params)
        self.classify = nn.Linear(2 * self.recurrent.features, CLASSES)

    def vary(self, *, wanted: bool) -> None:
        """Say whether training stretches spectra."""
        self.spectrum.varies = wanted

    def embed(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """Return features of MFCCs `(batch, coefficients, frames)`: mean and maximum of each state."""
        steps, lengths = self.convolutions(self.spectrum(inputs, lengths), lengths)  # (batch, steps, features)
        return pool(self.recurrent(steps, lengths), lengths)  # of (batch, steps, 2 * units)


def build(params: RnnParams, examples: FeatureExamples, files: list[str]) -> Rnn:
    """Return an untrained network, scaled by the statistics of the training files."""
    return Rnn(params, Spectrum(params, examples.front_end, *examples.clean_tensors(files)))


ARCHITECTURE = Architecture(RnnParams, FeatureExamples, build)

"""Recurrent network over log-mel spectrograms, optionally after strided convolutions."""

from torch import Tensor, nn

from audiomnist.core.digits import CLASSES
from audiomnist.features.dataset import FeatureExamples
from audiomnist.features.front_end import FrontEndParams
from audiomnist.models.common.base import Architecture
from audiomnist.models.common.conv import ConvStack
from audiomnist.models.common.recurrent import Recurrent, mean_max_pool
from audiomnist.models.common.spectrogram import LogMelNetwork
from audiomnist.models.params.rnn import RnnParams


class Rnn(LogMelNetwork):
    """Convolutional layers, bidirectional recurrent layers, mean and maximum over time, and a linear layer."""

    def __init__(self, params: RnnParams, front_end: FrontEndParams) -> None:
        super().__init__(params, front_end)
        self.convolutions = ConvStack(params, "stride")
        self.recurrent = Recurrent(self.convolutions.features(self.spectrum.bands), params)
        self.classify = nn.Linear(2 * self.recurrent.features, CLASSES)

    def embed(self, inputs: Tensor, lengths: Tensor | None) -> Tensor:
        """Return features of MFCCs `(batch, coefficients, frames)`: mean and maximum of each hidden unit."""
        sequence, lengths = self.convolutions(self.spectrum(inputs, lengths), lengths)  # (batch, steps, features)
        return mean_max_pool(self.recurrent(sequence, lengths), lengths)


ARCHITECTURE = Architecture(RnnParams, FeatureExamples, Rnn.build)

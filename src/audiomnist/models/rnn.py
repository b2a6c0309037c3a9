"""A recurrent network over MFCC frames."""

from pydantic import Field
from torch import Tensor, nn

from audiomnist.models.architecture import Architecture, Network
from audiomnist.models.sequences import CLASSES, Recurrent, RecurrentParams, pool
from audiomnist.tensors import FeatureExamples, Scaling


class RnnParams(RecurrentParams):
    """Section `models.rnn`.

    Attributes:
        masked_fraction: longest of the two stretches of each clip that training hides, as a share of it.
    """

    masked_fraction: float = Field(ge=0, lt=1)


class Rnn(Network):
    """Bidirectional recurrent layers; mean and maximum over time; one linear layer."""

    def __init__(self, params: RnnParams, mean: Tensor, deviation: Tensor) -> None:
        super().__init__()
        self.scale = Scaling(mean, deviation, params.masked_fraction)
        self.recurrent = Recurrent(len(mean), params)
        self.classify = nn.Linear(2 * self.recurrent.features, CLASSES)

    def embed(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """Return features of MFCCs `(batch, coefficients, frames)`: mean and maximum of each state."""
        scaled = self.scale(inputs, lengths).transpose(1, 2)  # (batch, frames, coefficients)
        return pool(self.recurrent(scaled, lengths), lengths)  # of (batch, frames, 2 * units)


def build(params: RnnParams, examples: FeatureExamples, files: list[str]) -> Rnn:
    """Return an untrained network, scaled by the statistics of the training files."""
    return Rnn(params, *examples.statistics(files))


ARCHITECTURE = Architecture(RnnParams, FeatureExamples, build)

"""A recurrent network over MFCC frames."""

from pydantic import Field
from torch import Tensor, nn

from audiomnist.models.architecture import Architecture
from audiomnist.models.sequences import CLASSES, Recurrent, RecurrentParams, pool
from audiomnist.tensors import FeatureExamples, Scaling


class RnnParams(RecurrentParams):
    """Section `models.rnn`.

    Attributes:
        masked_fraction: longest of the two stretches of each clip that training hides, as a share of it.
    """

    masked_fraction: float = Field(ge=0, lt=1)


class Rnn(nn.Module):
    """Bidirectional recurrent layers; mean and maximum over time; one linear layer."""

    def __init__(self, params: RnnParams, mean: Tensor, deviation: Tensor) -> None:
        super().__init__()
        self.scale = Scaling(mean, deviation, params.masked_fraction)
        self.recurrent = Recurrent(len(mean), params)
        self.classify = nn.Linear(2 * self.recurrent.features, CLASSES)

    def forward(self, mfcc: Tensor, frames: Tensor) -> Tensor:
        """Return logits `(batch, 10)` of MFCCs `(batch, coefficients, frames)`."""
        scaled = self.scale(mfcc, frames).transpose(1, 2)  # (batch, frames, coefficients)
        states = self.recurrent(scaled, frames)  # (batch, frames, 2 * units)
        logits: Tensor = self.classify(pool(states, frames))
        return logits


def build(params: RnnParams, examples: FeatureExamples, files: list[str]) -> Rnn:
    """Return an untrained network, scaled by the statistics of the training files."""
    return Rnn(params, *examples.statistics(files))


ARCHITECTURE = Architecture(RnnParams, FeatureExamples, build)

"""A recurrent network over the letters of what a speech recognizer heard."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from audiomnist.core.digits import CLASSES
from audiomnist.models.common.base import Architecture, Network
from audiomnist.models.common.recurrent import Recurrent, pool
from audiomnist.models.params.lstm import LstmParams
from audiomnist.transcripts.dataset import TranscriptExamples
from audiomnist.transcripts.tokenizer import VOCAB_SIZE


class Lstm(Network):
    """An embedding of letters; bidirectional recurrent layers; mean and maximum; one linear layer."""

    def __init__(self, params: LstmParams) -> None:
        super().__init__()
        self.letters = nn.Embedding(VOCAB_SIZE, params.embedding_dim)
        self.recurrent = Recurrent(params.embedding_dim, params)
        self.classify = nn.Linear(2 * self.recurrent.features, CLASSES)

    def embed(self, inputs: Tensor, lengths: Tensor | None) -> Tensor:
        """Return features of token ids `(batch, tokens)`: mean and maximum of each state."""
        return pool(self.recurrent(self.letters(inputs), lengths), lengths)  # of (batch, tokens, 2 * units)


def build(params: LstmParams, given: Mapping[str, Any]) -> Lstm:
    """Return an untrained network; it is the same for every recognizer."""
    del given
    return Lstm(params)


ARCHITECTURE = Architecture(LstmParams, TranscriptExamples, build)

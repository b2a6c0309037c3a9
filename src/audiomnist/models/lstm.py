"""Recurrent network over the characters of transcripts."""

from torch import Tensor, nn

from audiomnist.core.digits import CLASSES
from audiomnist.models.common.base import Architecture, Network
from audiomnist.models.common.recurrent import Recurrent, mean_max_pool
from audiomnist.models.params.lstm import LstmParams
from audiomnist.transcripts.dataset import TranscriptExamples
from audiomnist.transcripts.tokenizer import VOCAB_SIZE


class Lstm(Network):
    """Character embedding, bidirectional recurrent layers, mean and maximum over time, and a linear layer."""

    def __init__(self, params: LstmParams) -> None:
        super().__init__()
        self.embedding = nn.Embedding(VOCAB_SIZE, params.embedding_dim)
        self.recurrent = Recurrent(params.embedding_dim, params)
        self.classify = nn.Linear(2 * self.recurrent.features, CLASSES)

    def embed(self, inputs: Tensor, lengths: Tensor | None) -> Tensor:
        """Return features of token ids `(batch, tokens)`: mean and maximum of each hidden unit."""
        return mean_max_pool(self.recurrent(self.embedding(inputs), lengths), lengths)


ARCHITECTURE = Architecture(LstmParams, TranscriptExamples, Lstm.build)

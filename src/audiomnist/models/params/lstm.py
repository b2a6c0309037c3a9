"""Section `models.lstm` of params.yaml."""

from pydantic import Field

from audiomnist.models.common.params import RecurrentParams


class LstmParams(RecurrentParams):
    """Section `models.lstm`; `embedding_dim` is the size of a character's embedding."""

    embedding_dim: int = Field(ge=1)

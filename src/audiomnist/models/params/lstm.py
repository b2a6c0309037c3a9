"""Section `models.lstm` of params.yaml."""

from pydantic import Field

from audiomnist.models.common.params import RecurrentParams


class LstmParams(RecurrentParams):
    """Section `models.lstm`.

    Attributes:
        embedding_dim: size of a character's embedding.
    """

    embedding_dim: int = Field(ge=1)

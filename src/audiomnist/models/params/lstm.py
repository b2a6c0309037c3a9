"""Section `models.lstm` of params.yaml."""

from pydantic import Field

from audiomnist.models.common.params import RecurrentParams


class LstmParams(RecurrentParams):
    """Section `models.lstm`.

    Attributes:
        embedding: numbers that stand for one letter.
    """

    embedding: int = Field(ge=1)

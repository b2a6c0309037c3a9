"""Section `models.cnn` of params.yaml."""

from typing import Literal

from pydantic import Field, PositiveInt

from audiomnist.models.common.params import ConvStackParams, LogMelInputParams


class CnnParams(ConvStackParams, LogMelInputParams):
    """Section `models.cnn`.

    Attributes:
        channels: filters of each layer, at least one layer.
        downsampling: how each layer halves both axes: `stride` of its convolution, or `max_pool` after it.
        dropout: probability that a pooled feature is set to zero in training.
    """

    channels: tuple[PositiveInt, ...] = Field(min_length=1)
    downsampling: Literal["stride", "max_pool"]
    dropout: float = Field(ge=0, lt=1)

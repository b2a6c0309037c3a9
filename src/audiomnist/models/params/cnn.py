"""Section `models.cnn` of params.yaml."""

from typing import Literal

from pydantic import Field, PositiveInt

from audiomnist.models.common.params import ConvolutionsParams, LogMelInputParams


class CnnParams(ConvolutionsParams, LogMelInputParams):
    """Section `models.cnn`.

    Attributes:
        channels: filters of the layers, at least one.
        downsampling: how each layer halves both axes: `stride` of its convolution, or `max_pool` after it.
        dropout: share of the pooled features set to zero in training.
    """

    channels: tuple[PositiveInt, ...] = Field(min_length=1)
    downsampling: Literal["stride", "max_pool"]
    dropout: float = Field(ge=0, lt=1)

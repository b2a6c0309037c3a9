"""Section `models.cnn` of params.yaml."""

from typing import Literal

from pydantic import Field, PositiveInt

from audiomnist.models.common.params import ConvolutionsParams, LogMelInputParams


class CnnParams(ConvolutionsParams, LogMelInputParams):
    """Section `models.cnn`.

    Attributes:
        channels: filters of the layers, at least one.
        halve: how each layer halves both axes: by `stride`, or by `max` pooling after it.
        dropout: share of the pooled features set to zero in training.
    """

    channels: tuple[PositiveInt, ...] = Field(min_length=1)
    halve: Literal["stride", "max"]
    dropout: float = Field(ge=0, lt=1)

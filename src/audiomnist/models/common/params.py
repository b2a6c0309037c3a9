"""The parameters that several networks share: their convolutions, recurrent layers and inputs."""

from typing import Annotated, Literal, Self

from pydantic import Field, PositiveInt, model_validator

from audiomnist.core.params import Section


class ConvolutionsParams(Section):
    """The convolutions of a network.

    Attributes:
        channels: filters of the layers, each of which halves both axes.
        kernel_size: side of the square filters, in bands and frames.
        residual_blocks: number of residual blocks after each layer.
    """

    channels: tuple[PositiveInt, ...]
    kernel_size: int = Field(ge=1, le=9)
    residual_blocks: tuple[Annotated[int, Field(ge=0, le=8)], ...]

    @model_validator(mode="after")
    def _blocks_of_each(self) -> Self:
        layers, blocks = len(self.channels), len(self.residual_blocks)
        if blocks != layers:
            raise ValueError(f"residual_blocks has {blocks} numbers for the {layers} layers of channels")
        return self


class RecurrentParams(Section):
    """The recurrent layers of a network.

    Attributes:
        cell: `rnn` (Elman), `gru` or `lstm`.
        hidden_sizes: units per direction of each layer.
        dropout: share of the inputs of each layer, and of the last one's outputs, set to zero in training.
    """

    cell: Literal["rnn", "gru", "lstm"]
    hidden_sizes: tuple[PositiveInt, ...] = Field(min_length=1)
    dropout: float = Field(ge=0, lt=1)


class LogMelInputParams(Section):
    """What a network over MFCCs is given, and how training varies it.

    Attributes:
        top_db: what lies further below a clip's loudest value is raised to there, so that quiet recordings and noisy
            ones have floors that are alike.
        cmn_strength: share of each band's mean over the clip that is taken off, in [0, 1]: the mean holds the
            microphone and the voice (cepstral mean subtraction, Atal 1974), and in so short a clip the digit too.
        time_mask_fraction: longest of the two stretches of each clip that training hides, as a share of it.
        freq_mask_bands: widest of the two ranges of bands that training hides, in bands.
        vtlp_range: in training the frequencies of each clip are multiplied by a factor in [exp(-vtlp_range),
            exp(vtlp_range)] (vocal tract length perturbation, Jaitly and Hinton 2013).
    """

    top_db: float = Field(gt=0)
    cmn_strength: float = Field(ge=0, le=1)
    time_mask_fraction: float = Field(ge=0, lt=1)
    freq_mask_bands: int = Field(ge=0)
    vtlp_range: float = Field(ge=0, le=0.5)

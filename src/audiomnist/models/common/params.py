"""The parameters that several networks share: their convolutions, recurrent layers and inputs."""

from typing import Annotated, Literal, Self

from pydantic import Field, PositiveInt, model_validator

from audiomnist.core.params import Section


class ConvStackParams(Section):
    """Parameters of a `ConvStack`.

    Attributes:
        channels: filters of each layer.
        kernel_size: side of the square filters, in bands and frames.
        residual_blocks: number of residual blocks after each layer.
    """

    channels: tuple[PositiveInt, ...]
    kernel_size: int = Field(ge=1, le=9)
    residual_blocks: tuple[Annotated[int, Field(ge=0, le=8)], ...]

    @model_validator(mode="after")
    def _one_number_per_layer(self) -> Self:
        layers, numbers = len(self.channels), len(self.residual_blocks)
        if numbers != layers:
            raise ValueError(f"residual_blocks has {numbers} numbers for the {layers} layers of channels")
        return self


class RecurrentParams(Section):
    """Parameters of `Recurrent`.

    Attributes:
        cell: `rnn` (Elman), `gru` or `lstm`.
        hidden_sizes: units per direction of each layer.
        dropout: dropout probability before each layer and after the last.
    """

    cell: Literal["rnn", "gru", "lstm"]
    hidden_sizes: tuple[PositiveInt, ...] = Field(min_length=1)
    dropout: float = Field(ge=0, lt=1)


class LogMelInputParams(Section):
    """Parameters of `LogMelInput`.

    Attributes:
        top_db: values further below a clip's maximum are raised to this distance from it, so that quiet and noisy
            recordings have similar floors.
        cmn_strength: fraction of each band's mean over the clip that is subtracted, in [0, 1]. The mean holds the
            microphone and the speaker (cepstral mean subtraction, Atal 1974) but, in so short a clip, the digit too.
        time_mask_fraction: maximum length of each of the two time masks in training, as a fraction of the clip.
        freq_mask_bands: maximum width of each of the two frequency masks in training, in bands.
        vtlp_range: in training the frequencies of each clip are multiplied by a factor in [exp(-vtlp_range),
            exp(vtlp_range)] (vocal tract length perturbation, Jaitly and Hinton 2013).
    """

    top_db: float = Field(gt=0)
    cmn_strength: float = Field(ge=0, le=1)
    time_mask_fraction: float = Field(ge=0, lt=1)
    freq_mask_bands: int = Field(ge=0)
    vtlp_range: float = Field(ge=0, le=0.5)

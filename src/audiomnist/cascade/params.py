"""Section `models.cascade` of params.yaml."""

from pydantic import Field

from audiomnist.core.params import Section

# The model of waveforms, and the one that is asked where the first is in doubt.
MEMBERS = ("cnn", "whisper")


class CascadeParams(Section):
    """Section `models.cascade`.

    Attributes:
        threshold: confidence of the first model below which the second is asked (>= 0). With 0 it is asked only about
            sounds that are out of distribution, above 1 about all. None: learnt, with `cost_of_asking`.
        cost_of_asking: price of asking about all clips, as a share of errors: asking about one percent more of the
            clips must save `cost_of_asking` percent of errors. With 0.05, one in twenty clips that are asked about
            must be mended by it.
    """

    threshold: float | None = Field(default=None, ge=0)
    cost_of_asking: float = Field(ge=0)

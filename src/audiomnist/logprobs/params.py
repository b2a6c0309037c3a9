"""Section `logprobs` of params.yaml."""

from pydantic import Field, model_validator

from audiomnist.core.params import Section

FRAMES_PER_S = 100


class LogprobsParams(Section):
    """Section `logprobs`: how Whisper reads a clip, of which only the first token is asked for.

    Attributes:
        padding_s: digital silence before and after the clip.
        context_step: the length of the encoder's input, the context, is the clip's own length with its padding, rounded
            up to a multiple of `context_step`, and then at least `min_context` and at most `max_context`; all in frames
            of 10 ms. Clips of equal contexts are read together: larger steps make fewer, larger batches.
        min_context: smallest context.
        max_context: largest context; of a clip that is longer with its padding, the stretch with the most energy is
            read.
        batch_size: clips read together, at most.
    """

    padding_s: float = Field(default=0.4, ge=0, le=2)
    context_step: int = Field(default=50, ge=2, le=3000)
    min_context: int = Field(default=150, ge=50, le=3000)
    max_context: int = Field(default=300, ge=50, le=3000)
    batch_size: int = Field(default=16, ge=1, le=256)

    @model_validator(mode="after")
    def _leaves_room(self) -> "LogprobsParams":
        if self.min_context > self.max_context:
            raise ValueError("min_context must be at most max_context")
        if self.max_duration_s <= 0:
            raise ValueError("max_context leaves no room for a clip between its padding: raise it, or lower padding_s")
        return self

    @property
    def max_duration_s(self) -> float:
        """Duration of the longest clip that is read whole, in seconds."""
        return self.max_context / FRAMES_PER_S - 2 * self.padding_s

"""Section `logprobs` of params.yaml."""

from pydantic import Field, model_validator

from audiomnist.core.params import Section

FRAMES_PER_S = 100


class LogprobsParams(Section):
    """Section `logprobs`: how Whisper reads a clip, of which only the first token is asked for.

    Attributes:
        padding_s: digital silence before and after the clip.
        context_step: the length of the encoder's input, in frames of 10 ms, is a multiple of it: clips of equal
            contexts are read together.
        min_context: its minimum.
        max_context: its maximum; of a longer clip the stretch with the most energy is read.
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

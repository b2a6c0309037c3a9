"""What every speech recognizer promises."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from audiomnist.audio.waveform import Waveform
from audiomnist.core.errors import AudiomnistError
from audiomnist.transcripts.table import Status


class RecognitionError(AudiomnistError):
    """A speech recognizer cannot be loaded, or cannot be used at all; the stage stops."""


@dataclass(frozen=True)
class Hypothesis:
    """One reading of a clip. Higher scores are better; their scale is the engine's own."""

    text: str
    score: float


@dataclass(frozen=True)
class Recognition:
    """What a recognizer made of one clip: hypotheses, best first."""

    status: Status
    hypotheses: tuple[Hypothesis, ...]

    @classmethod
    def of(cls, hypotheses: Sequence[Hypothesis]) -> "Recognition":
        """Return the recognition that an engine's hypotheses amount to.

        Surrounding white space goes, and of equal texts the best stays. A best text that is empty
        means that nothing was recognized.
        """
        distinct: dict[str, Hypothesis] = {}
        for hypothesis in hypotheses:
            text = hypothesis.text.strip()
            distinct.setdefault(text, Hypothesis(text, hypothesis.score))
        kept = tuple(distinct.values())
        status = Status.RECOGNIZED if kept and kept[0].text else Status.NO_SPEECH
        return cls(status, kept)

    @property
    def text(self) -> str:
        """The best hypothesis, "" if there is none."""
        return self.hypotheses[0].text if self.hypotheses else ""


class Recognizer(Protocol):
    """A loaded speech recognizer, single-threaded."""

    @property
    def engine(self) -> str:
        """Its name in params.yaml."""

    @property
    def version(self) -> str:
        """The libraries that it is made of, with their versions."""

    @property
    def weights_sha256(self) -> str | None:
        """The SHA-256 of its weights; None where a library or a service brings its own."""

    def recognize(self, waveforms: Sequence[Waveform]) -> list[Recognition]:
        """Return one result per waveform; a clip's result does not depend on the others.

        Raises:
            RecognitionError: the engine itself is out of order.
            ValueError, ArithmeticError, RuntimeError: it cannot use one of the waveforms.
        """

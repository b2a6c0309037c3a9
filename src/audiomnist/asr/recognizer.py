"""The interface of every speech recognizer, and its results."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from audiomnist.audio.waveform import Waveform
from audiomnist.core.errors import AudiomnistError
from audiomnist.transcripts.table import Status


class RecognitionError(AudiomnistError):
    """A speech recognizer cannot be loaded or used at all; the stage stops."""


class RecordError(RecognitionError):
    """A record does not describe a recognizer of this program; the message is the field and the reason."""


@dataclass(frozen=True)
class Hypothesis:
    """One possible text of a clip. Higher scores are better; their scale depends on the engine."""

    text: str
    score: float


@dataclass(frozen=True)
class Recognition:
    """The result for one clip: hypotheses, best first, or the reason of a failure."""

    status: Status
    hypotheses: tuple[Hypothesis, ...] = ()
    reason: str = ""

    @classmethod
    def of(cls, hypotheses: Iterable[Hypothesis], n_best: int | None = None) -> "Recognition":
        """Return the recognition with the first `n_best` distinct hypotheses of an engine, which are best first.

        Texts are stripped. An empty first text means that nothing was recognized.
        """
        distinct: dict[str, Hypothesis] = {}
        for hypothesis in hypotheses:
            text = hypothesis.text.strip()
            distinct.setdefault(text, Hypothesis(text, hypothesis.score))
            if len(distinct) == n_best:
                break
        kept = tuple(distinct.values())
        return cls(Status.RECOGNIZED if kept and kept[0].text else Status.NO_SPEECH, kept)

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
        """The names and versions of its libraries."""

    @property
    def weights_sha256(self) -> str | None:
        """The SHA-256 of its weights; None if a library or a service includes them."""

    def recognize(self, waveforms: Sequence[Waveform]) -> list[Recognition]:
        """Return one result per waveform, independent of the others.

        Raises:
            RecognitionError: the engine itself does not work.
            ValueError, ArithmeticError, RuntimeError: it cannot process one of the waveforms.
        """

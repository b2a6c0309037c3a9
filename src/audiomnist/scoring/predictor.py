"""From files to rows: each file is labelled, or rejected with a reason; none stops the others."""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from audiomnist import audio, inference
from audiomnist.audio import BadAudioError, Waveform
from audiomnist.bundle import TranscriptInput
from audiomnist.inference import Model
from audiomnist.recognition import engines
from audiomnist.recognition.params import from_record

_BATCH_FILES = 64

Predict = Callable[[Sequence[Waveform]], NDArray[np.float32]]


@dataclass(frozen=True)
class Row:
    """What the scorer says of one file.

    Attributes:
        path: of the file.
        status: `scored` or `rejected`.
        digit: the label, None if rejected.
        confidence: calibrated probability of the label, None if rejected.
        reason: stable code of the reason for a rejection, else None.
        message: the reason in a sentence, else None.
        model: name of the model.
        model_version: SHA-256 of its description.
        dataset: what it was trained on.
    """

    path: str
    status: str
    digit: int | None
    confidence: float | None
    reason: str | None
    message: str | None
    model: str
    model_version: str
    dataset: str


class Predictor:
    """A model bundle with whatever it needs to hear recordings."""

    def __init__(self, bundle: Path, threads: int = 1) -> None:
        """Open a bundle; raises BundleError or RecognitionError if it cannot be used."""
        self.model = inference.load(bundle, threads)
        self._predict = _hearing(self.model)

    def rows(self, paths: Sequence[Path]) -> Iterator[Row]:
        """Yield a row for each path, in order."""
        for start in range(0, len(paths), _BATCH_FILES):
            yield from self._batch(paths[start : start + _BATCH_FILES])

    def _batch(self, paths: Sequence[Path]) -> list[Row]:
        decoded = [_decoded(path) for path in paths]
        waveforms = [item for item in decoded if isinstance(item, Waveform)]
        probabilities = iter(self._predict(waveforms) if waveforms else ())
        return [
            self._rejected(path, item) if isinstance(item, BadAudioError) else self._scored(path, next(probabilities))
            for path, item in zip(paths, decoded, strict=True)
        ]

    def _scored(self, path: Path, probabilities: NDArray[np.float32]) -> Row:
        digit = int(probabilities.argmax())
        confidence = float(probabilities[digit])
        return Row(_shown(path), "scored", digit, confidence, None, None, *self._identity())

    def _rejected(self, path: Path, error: BadAudioError) -> Row:
        return Row(
            _shown(path), "rejected", None, None, error.reason, f"{_shown(path)}: {error.sentence}", *self._identity()
        )

    def _identity(self) -> tuple[str, str, str]:
        description = self.model.description
        return description.model, self.model.version, description.dataset.name


def _shown(path: Path) -> str:
    """Return a path as text; bytes that are not UTF-8 are written as escapes."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _decoded(path: Path) -> Waveform | BadAudioError:
    try:
        return audio.read(path)
    except BadAudioError as error:
        return error


def _hearing(model: Model) -> Predict:
    """Return how waveforms become probabilities: directly, or through the model's speech recogniser."""
    given = model.description.input
    if not isinstance(given, TranscriptInput):
        return lambda waveforms: model.predict_waveforms([model.prepare(waveform) for waveform in waveforms])
    recogniser = engines.load(from_record(given.recogniser))

    def through_text(waveforms: Sequence[Waveform]) -> NDArray[np.float32]:
        heard = recogniser.recognise(waveforms)
        return model.predict_texts([[item.text for item in recognition.hypotheses] for recognition in heard])

    return through_text

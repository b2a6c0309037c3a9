"""From waveforms to a model's answers, whatever the model takes: the sound itself, or what a recognizer makes of it."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from audiomnist.asr.recognizer import Recognizer
from audiomnist.audio.waveform import Waveform
from audiomnist.serving.bundle.description import TranscriptInput
from audiomnist.serving.model import Model, Predictions

_UNUSABLE = (ValueError, ArithmeticError, RuntimeError)


class Prediction(NamedTuple):
    """Of one clip: calibrated probabilities, float32 `(10,)`, and how far out of the distribution of digits it lies."""

    probabilities: NDArray[np.float32]
    ood_score: float


Predict = Callable[[Sequence[Waveform]], list[Prediction | None]]


def hearing(model: Model) -> Predict:
    """Return a function that answers waveforms, one answer each; None where the recognizer failed on a clip.

    A clip's answer does not depend on the others.

    Raises:
        RecognitionError: the model needs a recognizer that cannot be loaded.
    """
    given = model.description.input
    if not isinstance(given, TranscriptInput):
        return lambda waveforms: [*_answers(model.predict_waveforms([model.prepare(clip) for clip in waveforms]))]
    from audiomnist.asr import params, registry  # noqa: PLC0415 - slow, and models over sound need none

    recognizer = registry.load(params.from_record(given.recognizer))
    return lambda waveforms: _through_text(model, recognizer, waveforms)


def _answers(predictions: Predictions) -> list[Prediction]:
    return [*map(Prediction, predictions.probabilities, predictions.ood_scores.tolist())]


def _through_text(model: Model, recognizer: Recognizer, waveforms: Sequence[Waveform]) -> list[Prediction | None]:
    texts = _texts(recognizer, waveforms)
    heard = [hypotheses for hypotheses in texts if hypotheses is not None]
    answers = iter(_answers(model.predict_texts(heard)) if heard else [])
    return [None if hypotheses is None else next(answers) for hypotheses in texts]


def _texts(recognizer: Recognizer, waveforms: Sequence[Waveform]) -> list[list[str] | None]:
    """Return each clip's hypotheses, best first; a batch that fails is tried again clip by clip."""
    try:
        recognitions = recognizer.recognize(waveforms)
    except _UNUSABLE:
        if len(waveforms) == 1:
            return [None]
        return [texts for waveform in waveforms for texts in _texts(recognizer, [waveform])]
    return [[item.text for item in recognition.hypotheses] for recognition in recognitions]

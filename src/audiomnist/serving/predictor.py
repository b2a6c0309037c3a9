"""Prediction from waveforms, whether the model takes waveforms or the transcripts of a speech recognizer."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from audiomnist.asr.recognizer import Recognizer
from audiomnist.audio.waveform import Waveform
from audiomnist.serving.bundle.description import TranscriptInput
from audiomnist.serving.model import Model, Predictions

# Errors of a recognizer that cannot use one of the waveforms.
_UNUSABLE = (ValueError, ArithmeticError, RuntimeError)


class Prediction(NamedTuple):
    """Prediction for one clip.

    Attributes:
        probabilities: calibrated, float32 `(10,)`.
        ood_score: see `Predictions`.
        answered_by: names of the models that it is from, joined by `+`.
        asr_token: the most likely first token of the speech recognizer, where one was asked for it.
    """

    probabilities: NDArray[np.float32]
    ood_score: float
    answered_by: str
    asr_token: str | None = None


Predict = Callable[[Sequence[Waveform]], list[Prediction | None]]


def predictor(model: Model) -> Predict:
    """Return a function that predicts waveforms: one prediction each, None if the speech recognizer failed on a clip.

    The prediction for a clip does not depend on the other clips.

    Raises:
        RecognitionError: the model needs a recognizer that cannot be loaded.
    """
    model_input = model.description.input
    if not isinstance(model_input, TranscriptInput):
        return lambda waveforms: [*_per_clip(model, model.predict_waveforms([*map(model.prepare, waveforms)]))]
    from audiomnist.asr import params, registry  # noqa: PLC0415 - slow, and only models of transcripts need it

    recognizer = registry.load(params.from_record(model_input.recognizer))
    return lambda waveforms: _through_text(model, recognizer, waveforms)


def _per_clip(model: Model, predictions: Predictions) -> list[Prediction]:
    answers = zip(predictions.probabilities, predictions.ood_scores.tolist(), strict=True)
    return [Prediction(probabilities, ood_score, model.description.model) for probabilities, ood_score in answers]


def _through_text(model: Model, recognizer: Recognizer, waveforms: Sequence[Waveform]) -> list[Prediction | None]:
    transcripts = _transcripts(recognizer, waveforms)
    recognized = [hypotheses for hypotheses in transcripts if hypotheses is not None]
    predictions = iter(_per_clip(model, model.predict_texts(recognized)) if recognized else [])
    return [None if hypotheses is None else next(predictions) for hypotheses in transcripts]


def _transcripts(recognizer: Recognizer, waveforms: Sequence[Waveform]) -> list[list[str] | None]:
    """Return each clip's hypotheses, best first; a batch that fails is retried clip by clip."""
    try:
        recognitions = recognizer.recognize(waveforms)
    except _UNUSABLE:
        if len(waveforms) == 1:
            return [None]
        return [hypotheses for waveform in waveforms for hypotheses in _transcripts(recognizer, [waveform])]
    return [[hypothesis.text for hypothesis in recognition.hypotheses] for recognition in recognitions]

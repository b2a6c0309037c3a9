"""Prediction from waveforms, whether the model takes waveforms or what a speech recognizer returns."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from audiomnist.asr.recognizer import Recognizer, RecordError
from audiomnist.asr.tokens import FirstToken
from audiomnist.audio.waveform import Waveform
from audiomnist.serving.bundle.description import (
    DESCRIPTION,
    BundleError,
    LogprobsInput,
    TranscriptInput,
    how_to_restore,
)
from audiomnist.serving.cascade import Cascade
from audiomnist.serving.fusion import asked, fused
from audiomnist.serving.model import Model, Predictions

_T = TypeVar("_T")

# Errors of a recognizer that cannot use one of the waveforms.
_UNUSABLE = (ValueError, ArithmeticError, RuntimeError)


class Prediction(NamedTuple):
    """Prediction for one clip.

    Attributes:
        probabilities: calibrated, float32 `(10,)`.
        ood_score: see `Predictions`.
        answered_by: names of the models that it is from, joined by `+`.
        asr_token: text of the recognizer's most probable first token, if the model reads log-probabilities.
    """

    probabilities: NDArray[np.float32]
    ood_score: float
    answered_by: str
    asr_token: str | None = None

    @property
    def is_fused(self) -> bool:
        """Whether it is from more than one model."""
        return "+" in self.answered_by


Predict = Callable[[Sequence[Waveform]], list[Prediction | None]]


def predictor(model: Model | Cascade) -> Predict:
    """Return a function that predicts waveforms: one prediction each, None if the speech recognizer failed on a clip.

    The prediction for a clip does not depend on the other clips.

    Raises:
        BundleError: the bundle describes no recognizer of this program.
        RecognitionError: the model needs a recognizer that cannot be loaded.
    """
    if isinstance(model, Cascade):
        second = predictor(model.second)
        return lambda waveforms: _cascaded(model, second, waveforms)
    model_input = model.description.input
    if isinstance(model_input, LogprobsInput):
        from audiomnist.asr import first_token  # noqa: PLC0415 - slow, and only these models need it

        first = _recorded(model.folder, model_input.recognizer, first_token.from_record)
        return lambda waveforms: _through_logprobs(model, first.read, waveforms)
    if not isinstance(model_input, TranscriptInput):
        return lambda waveforms: [*_per_clip(model, model.predict_waveforms([*map(model.prepare, waveforms)]))]
    from audiomnist.asr import params, registry  # noqa: PLC0415 - slow, and only models of transcripts need it

    recognizer = registry.load(_recorded(model.folder, model_input.recognizer, params.from_record))
    return lambda waveforms: _through_text(model, recognizer, waveforms)


def _recorded(folder: Path, record: dict[str, Any], from_record: Callable[[dict[str, Any]], _T]) -> _T:
    """Return what `from_record` makes of the record of a recognizer in a bundle."""
    try:
        return from_record(record)
    except RecordError as error:
        raise BundleError(
            f"{folder / DESCRIPTION} describes a recognizer that this program does not know: {error}. "
            f"Restore it: {how_to_restore(folder)}"
        ) from error


def _cascaded(cascade: Cascade, second: Predict, waveforms: Sequence[Waveform]) -> list[Prediction | None]:
    predictions = cascade.first.predict_waveforms([*map(cascade.first.prepare, waveforms)])
    answers: list[Prediction | None] = [*_per_clip(cascade.first, predictions)]
    indices = np.flatnonzero(asked(predictions, cascade.description.rule.threshold)).tolist()
    others = second([waveforms[index] for index in indices]) if indices else []
    for index, other in zip(indices, others, strict=True):
        answers[index] = None if other is None else _fused(cascade, predictions.at(index), other)
    return answers


def _fused(cascade: Cascade, first: Predictions, second: Prediction) -> Prediction:
    """Return the prediction for a clip about which both models were asked."""
    other = Predictions(second.probabilities[None], np.array([second.ood_score], dtype=np.float32))
    [both] = _per_clip(cascade.first, fused(first, other, cascade.description.rule))
    return both._replace(answered_by="+".join(cascade.description.members), asr_token=second.asr_token)


def _per_clip(model: Model, predictions: Predictions) -> list[Prediction]:
    answers = zip(predictions.probabilities, predictions.ood_scores.tolist(), strict=True)
    return [Prediction(probabilities, ood_score, model.description.model) for probabilities, ood_score in answers]


def _through_logprobs(
    model: Model, read: Callable[[Sequence[Waveform]], list[FirstToken]], waveforms: Sequence[Waveform]
) -> list[Prediction | None]:
    tokens = _retried(read, waveforms)
    logprobs = [token.logprobs for token in tokens if token is not None]
    predictions = iter(_per_clip(model, model.predict_logprobs(np.stack(logprobs))) if logprobs else [])
    return [None if token is None else next(predictions)._replace(asr_token=token.best) for token in tokens]


def _through_text(model: Model, recognizer: Recognizer, waveforms: Sequence[Waveform]) -> list[Prediction | None]:
    recognitions = _retried(recognizer.recognize, waveforms)
    texts = [[hypothesis.text for hypothesis in found.hypotheses] for found in recognitions if found is not None]
    predictions = iter(_per_clip(model, model.predict_texts(texts)) if texts else [])
    return [None if found is None else next(predictions) for found in recognitions]


def _retried(recognize: Callable[[Sequence[Waveform]], list[_T]], waveforms: Sequence[Waveform]) -> list[_T | None]:
    """Return each clip's result, None if the recognizer cannot use it; a batch that fails is retried clip by clip."""
    try:
        return [*recognize(waveforms)]
    except _UNUSABLE:
        if len(waveforms) == 1:
            return [None]
        return [result for waveform in waveforms for result in _retried(recognize, [waveform])]

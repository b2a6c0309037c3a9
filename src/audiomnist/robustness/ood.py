"""Out-of-distribution detection: how well `ood_score` separates sounds that are not digits from the test clips."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from rich.progress import track
from sklearn.metrics import roc_auc_score

from audiomnist.audio.waveform import Waveform
from audiomnist.robustness import ood_sounds
from audiomnist.serving.batching import BATCH_CLIPS
from audiomnist.serving.predictor import Predict, Prediction

_SOUNDS = 100
_SEED = 0


class _Scores(NamedTuple):
    """`ood_score` and confidence, float32 `(sounds,)` each, of the sounds that the model has a prediction for.

    `asked` is the share of them about which a cascade asked its second model, 0 for other models.
    """

    ood: NDArray[np.float32]
    confidence: NDArray[np.float32]
    asked: float


def evaluate_ood(predict: Predict, digits: Sequence[Waveform], title: str) -> dict[str, dict[str, float]]:
    """Return how well a model separates sounds that are not digits from digits.

    Args:
        predict: the model.
        digits: the test clips. Some of them, reversed, are one kind of sound.
        title: of the progress bar.

    Returns:
        for each kind in `ood_sounds.KINDS`, and `backwards`: `auroc`, the area under the receiver operating
        characteristic of `ood_score`; `detection_rate`, the share of the sounds above 1; `confidence`, the mean; if the
        second model of a cascade was asked, `asked`, the share of the sounds. Under `digits` the `detection_rate` of
        the test clips, which is an error rate.
    """
    kinds = {kind: ood_sounds.sounds(kind, _SOUNDS, _SEED) for kind in ood_sounds.KINDS}
    kinds["backwards"] = [ood_sounds.backwards(digit) for digit in digits[:: len(digits) // _SOUNDS + 1]]
    of_digits = _scores(predict, digits).ood
    separation = {
        kind: _separation(of_digits, _scores(predict, sounds))
        for kind, sounds in track(kinds.items(), title, total=len(kinds))
    }
    return separation | {"digits": {"detection_rate": float((of_digits > 1).mean())}}


def predict_in_batches(predict: Predict, waveforms: Sequence[Waveform]) -> list[Prediction | None]:
    """Return a prediction per waveform, None where there is none; only `BATCH_CLIPS` are in memory at a time."""
    starts = range(0, len(waveforms), BATCH_CLIPS)
    return [prediction for start in starts for prediction in predict(waveforms[start : start + BATCH_CLIPS])]


def _scores(predict: Predict, sounds: Sequence[Waveform]) -> _Scores:
    predictions = [prediction for prediction in predict_in_batches(predict, sounds) if prediction is not None]
    return _Scores(
        np.array([prediction.ood_score for prediction in predictions], dtype=np.float32),
        np.array([prediction.probabilities.max() for prediction in predictions], dtype=np.float32),
        float(np.mean([prediction.is_fused for prediction in predictions])),
    )


def _separation(digits: NDArray[np.float32], sounds: _Scores) -> dict[str, float]:
    is_sound = np.concatenate([np.zeros(len(digits)), np.ones(len(sounds.ood))])
    return {
        "auroc": float(roc_auc_score(is_sound, np.concatenate([digits, sounds.ood]))),
        "detection_rate": float((sounds.ood > 1).mean()),
        "confidence": float(sounds.confidence.mean()),
    } | ({"asked": sounds.asked} if sounds.asked else {})

"""Metrics of a classifier on labelled clips, as pure functions of its predictions."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import binomtest
from sklearn.metrics import f1_score

from audiomnist.core.digits import PROBABILITIES

# What a model is compared by, of its scores: these are metrics of DVC.
HEADLINE = ("accuracy", "accuracy_low", "accuracy_high", "log_loss", "ece")

_ECE_BINS = 15
_CONFIDENCE_LEVEL = 0.95
_LEAST_PROBABILITY = 1e-12


def scores(predictions: pd.DataFrame) -> dict[str, Any]:
    """Return the scores of test predictions.

    Args:
        predictions: one row per clip: `digit` (the truth), `speaker`, `predicted`, and `p0` to `p9`.

    Returns:
        `accuracy` with its Wilson 95% interval (`accuracy_low`, `accuracy_high`), `macro_f1`, `log_loss` (nats),
        `ece`, `recall.<digit>` and `speaker.<name>` (accuracy), each in [0, 1] but the log loss.
    """
    digits = predictions["digit"].to_numpy()
    probabilities = predictions[PROBABILITIES].to_numpy(dtype=np.float64)
    right = predictions["predicted"].to_numpy() == digits
    low, high = wilson_interval(int(right.sum()), len(right))
    return {
        "accuracy": float(right.mean()),
        "accuracy_low": low,
        "accuracy_high": high,
        "macro_f1": float(f1_score(digits, predictions["predicted"], average="macro")),
        "log_loss": log_loss(probabilities, digits),
        "ece": expected_calibration_error(probabilities, right),
        "recall": _accuracies(right, digits),
        "speaker": _accuracies(right, predictions["speaker"].to_numpy()),
    }


def wilson_interval(successes: int, trials: int) -> tuple[float, float]:
    """Return Wilson's (1927) 95% interval of a proportion.

    >>> [round(bound, 3) for bound in wilson_interval(9, 10)]
    [0.596, 0.982]
    """
    interval = binomtest(successes, trials).proportion_ci(_CONFIDENCE_LEVEL, method="wilson")
    return float(interval.low), float(interval.high)


def log_loss(probabilities: NDArray[np.float64], digits: NDArray[Any]) -> float:
    """Return the mean negative log-likelihood of the digits, in nats; probabilities below 1e-12 count as 1e-12."""
    truth = probabilities[np.arange(len(digits)), digits]
    return float(-np.log(np.maximum(truth, _LEAST_PROBABILITY)).mean())


def expected_calibration_error(probabilities: NDArray[np.float64], right: NDArray[np.bool_]) -> float:
    """Return the mean gap between confidence and accuracy over 15 equal bins of confidence (Guo et al. 2017)."""
    confidence = probabilities.max(axis=1)
    bins = np.minimum((confidence * _ECE_BINS).astype(int), _ECE_BINS - 1)
    gap = np.bincount(bins, confidence - right, _ECE_BINS)
    return float(np.abs(gap).sum() / len(right))


def mcnemar_p(first_right: Iterable[bool], second_right: Iterable[bool]) -> float:
    """Return the exact two-sided p-value that two models err equally often on the same clips (McNemar 1947).

    >>> mcnemar_p([True] * 5, [False] * 5)
    0.0625
    """
    only_first = sum(a and not b for a, b in zip(first_right, second_right, strict=True))
    only_second = sum(b and not a for a, b in zip(first_right, second_right, strict=True))
    if only_first + only_second == 0:
        return 1.0
    return float(binomtest(only_first, only_first + only_second, 0.5).pvalue)


def resampled_accuracies(right: Sequence[NDArray[np.bool_]], resamples: int, seed: int) -> NDArray[np.float64]:
    """Return the mean over groups of each model's accuracy in bootstrap resamples, `(resamples, models)` in [0, 1].

    The bootstrap of Efron (1979), "Bootstrap methods: another look at the jackknife", Annals of Statistics 7(1),
    stratified by group: from each group as many clips as it has are drawn with replacement, the same for all models.

    Args:
        right: for each group, whether each model was right on each clip, `(clips, models)`.
        resamples: number of resamples.
        seed: of the draws, which depend on nothing else but the number of clips.
    """
    draw = np.random.default_rng(seed)
    drawn = [draw.integers(len(group), size=(resamples, len(group)), dtype=np.int32) for group in right]
    accuracies = [group[clips].mean(axis=1) for group, clips in zip(right, drawn, strict=True)]
    return np.asarray(np.mean(accuracies, axis=0))


def percentile_interval(resampled: NDArray[np.floating[Any]]) -> tuple[float, float]:
    """Return the 95% percentile interval of a statistic, from its values in the resamples `(resamples,)`.

    >>> [round(bound, 3) for bound in percentile_interval(np.linspace(0, 1, 201))]
    [0.025, 0.975]
    """
    outside = (1 - _CONFIDENCE_LEVEL) / 2
    low, high = np.quantile(resampled, [outside, 1 - outside])
    return float(low), float(high)


def rounded(value: Any) -> Any:
    """Return a nested mapping with its floats rounded to six decimals."""
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    return round(value, 6) if isinstance(value, float) else value


def _accuracies(right: NDArray[np.bool_], groups: NDArray[Any]) -> dict[str, float]:
    return {str(name): float(right[groups == name].mean()) for name in sorted(set(groups.tolist()))}

"""The rule of a cascade: when a second model is asked, and how the predictions of both are fused.

The first model answers alone where its calibrated confidence reaches the threshold and the sound is in distribution
(`ood_score` <= 1). Elsewhere the probability of a digit is proportional to
exp((w1 log p1 + w2 log p2) / (T max(1, ood_score))): a logarithmic opinion pool (Genest and Zidek 1986, "Combining
probability distributions", Statistical Science 1(1)), less certain of a sound that is no digit to the second model.
`ood_score` is that of the second model, which tells digits of unseen speakers from other sounds better.
"""

import numpy as np
from numpy.typing import NDArray

from audiomnist.serving.bundle.description import Rule
from audiomnist.serving.model import Predictions

ASKS_ALWAYS = 1.01  # a threshold that no confidence reaches

_LEAST_PROBABILITY = 1e-12


def asked(first: Predictions, threshold: float) -> NDArray[np.bool_]:
    """Return where the second model is asked, `(clips,)`, for the predictions of the first."""
    return np.asarray((first.probabilities.max(axis=1) < threshold) | (first.ood_scores > 1))


def fused(first: Predictions, second: Predictions, rule: Rule) -> Predictions:
    """Return the predictions for clips about which both models were asked."""
    logits = np.tensordot(np.array(rule.weights) / rule.temperature, log_probabilities(first, second), axes=1)
    logits /= np.maximum(second.ood_scores, 1)[:, None]
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities = (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)
    return Predictions(probabilities, second.ood_scores)


def combined(first: Predictions, second: Predictions, rule: Rule) -> tuple[Predictions, NDArray[np.bool_]]:
    """Return what a cascade answers, from the predictions of both models for all clips, and `asked`."""
    doubtful = asked(first, rule.threshold)
    both = fused(first, second, rule)
    probabilities = np.where(doubtful[:, None], both.probabilities, first.probabilities)
    return Predictions(probabilities, np.where(doubtful, both.ood_scores, first.ood_scores)), doubtful


def log_probabilities(first: Predictions, second: Predictions) -> NDArray[np.float64]:
    """Return natural logarithms of the probabilities, of at least 1e-12 each, `(2, clips, 10)`."""
    probabilities = np.stack([first.probabilities, second.probabilities]).astype(np.float64)
    return np.log(np.maximum(probabilities, _LEAST_PROBABILITY))

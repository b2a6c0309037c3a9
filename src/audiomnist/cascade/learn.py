"""The rule of a cascade, learnt from predictions of networks that were not trained on the clips."""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

from audiomnist.cascade.params import CascadeParams
from audiomnist.serving.bundle.description import Rule
from audiomnist.serving.fusion import ASKS_ALWAYS, asked, fused, log_probabilities
from audiomnist.serving.model import Predictions

_BOUNDS = (1e-3, 20.0)


def learn(first: Predictions, second: Predictions, digits: NDArray[np.int64], params: CascadeParams) -> Rule:
    """Return the rule for the predictions of two models and the digits, `(clips,)`, of the same clips."""
    rule = fit_weights(first, second, digits)
    if params.threshold is not None:
        return rule.model_copy(update={"threshold": params.threshold})
    mended = fused(first, second, rule).probabilities.argmax(axis=1) == digits
    right = first.probabilities.argmax(axis=1) == digits
    gain = mended.astype(float) - right - params.cost_of_asking
    sure = ~asked(first, 0)
    confidence = first.probabilities.max(axis=1)
    return rule.model_copy(update={"threshold": best_threshold(confidence[sure], gain[sure])})


def fit_weights(first: Predictions, second: Predictions, digits: NDArray[np.int64]) -> Rule:
    """Return the weights and the temperature with the greatest likelihood, for a cascade that always asks.

    Two free exponents a1 and a2 of the probabilities have all that weights and temperature have: w = a / (a1 + a2) and
    T = 1 / (a1 + a2). The negative log-likelihood is convex in them. As in `training.calibration`, the true class of n
    clips has the target probability (n + 1) / (n + 2) (Platt 1999), since the exponents of models without an error
    would otherwise grow without limit. The division by max(1, ood_score) is left out: larger exponents would undo it.
    """
    logs = log_probabilities(first, second)
    clips, classes = first.probabilities.shape
    targets = np.full((clips, classes), 1 / (clips + 2) / (classes - 1))
    targets[np.arange(clips), digits] = 1 - 1 / (clips + 2)

    def loss(exponents: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        logits = np.tensordot(exponents, logs, axes=1)
        gradient = ((softmax(logits, axis=1) - targets) * logs).sum(axis=(1, 2)) / clips
        return float(-(targets * log_softmax(logits, axis=1)).sum() / clips), gradient

    a1, a2 = minimize(loss, [0.5, 0.5], jac=True, method="L-BFGS-B", bounds=[_BOUNDS, _BOUNDS]).x.tolist()
    total = a1 + a2
    return Rule(weights=(a1 / total, a2 / total), temperature=1 / total, threshold=ASKS_ALWAYS)


def best_threshold(confidence: NDArray[np.float32], gain: NDArray[np.float64]) -> float:
    """Return the threshold with the greatest sum of gains of the clips below it; of equal ones the lowest.

    It lies half-way between two confidences, at 0 if no clip should be below it, or above 1 if all should.

    Args:
        confidence: of each clip, `(clips,)`.
        gain: 1 for an error that is mended, -1 for one that is made, less the cost of asking, `(clips,)`.
    """
    order = np.argsort(confidence, kind="stable")
    ordered = confidence[order].astype(np.float64)
    gains = np.concatenate([[0.0], np.cumsum(gain[order])])
    gains[1:-1][np.diff(ordered) <= 0] = -np.inf
    below = int(gains.argmax())
    if below == 0:
        return 0.0
    return float(ordered[below - 1 : below + 1].mean()) if below < len(ordered) else ASKS_ALWAYS

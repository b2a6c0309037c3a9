"""Making probabilities mean what they say."""

import numpy as np
from scipy.optimize import minimize_scalar
from torch import Tensor
from torch.nn import functional


def temperature(logits: Tensor, labels: Tensor) -> float:
    """Return the divisor of the logits that makes the labels most likely, in [0.05, 20].

    The method is that of Guo et al. (2017). As in Platt (1999), a label counts as (n + 1) / (n + 2) certain
    with n clips: where every clip is right, the temperature would otherwise sink without end.
    """
    smoothing = _smoothing(len(labels), logits.shape[1])

    def loss(log_temperature: float) -> float:
        scaled = logits.double() / np.exp(log_temperature)
        return float(functional.cross_entropy(scaled, labels, label_smoothing=smoothing))

    found = minimize_scalar(loss, bounds=(np.log(0.05), np.log(20.0)), method="bounded")
    return float(np.exp(found.x))


def _smoothing(clips: int, classes: int) -> float:
    """Return the smoothing, spread over all classes, that leaves (clips + 1) / (clips + 2) to the true one."""
    return classes / (classes - 1) / (clips + 2)

"""Calibration of probabilities and of the out-of-distribution score.

Probabilities are softmax(logits / (temperature * max(1, ood_score))), where
ood_score = (novelty - ood_median) / (ood_p95 - ood_median): about 0 for a digit of an unseen speaker, and above 1 for
one in twenty of them. Beyond 1 the logits shrink in proportion, so confidence falls.
"""

import numpy as np
import torch
from scipy.optimize import minimize_scalar
from torch import Tensor
from torch.nn import functional

from audiomnist.serving.bundle.description import Calibration
from audiomnist.training.cross_validation import Outputs

_MIN_RANGE = 0.1


def calibrate(unseen: Outputs, familiar: Outputs | None = None) -> Calibration:
    """Return the scale of novelty and the temperature.

    The scale is the median of novelty for `unseen` speakers, who were not trained on, and its 95th percentile, at least
    0.1 above. `familiar` are other clips of the training speakers, if any. Both kinds of speakers are met in service,
    so each has half of the weight in the temperature.
    """
    median, p95 = torch.quantile(unseen.novelty.double(), torch.tensor([0.5, 0.95]).double()).tolist()
    p95 = max(p95, median + _MIN_RANGE)
    groups = [unseen] if familiar is None else [unseen, familiar]
    logits = torch.cat([group.logits / _divisor(group.novelty, median, p95) for group in groups])
    labels = torch.cat([group.labels for group in groups])
    weights = torch.cat([torch.full((len(group.labels),), 1 / len(group.labels) / len(groups)) for group in groups])
    return Calibration(temperature=temperature(logits, labels, weights), ood_median=median, ood_p95=p95)


def confidence(outputs: Outputs, calibration: Calibration) -> Tensor:
    """Return the calibrated probability of each clip's predicted digit, `(clips,)`."""
    divisor = _divisor(outputs.novelty, calibration.ood_median, calibration.ood_p95)
    return (outputs.logits / (calibration.temperature * divisor)).softmax(dim=1).amax(dim=1)


def _divisor(novelty: Tensor, median: float, p95: float) -> Tensor:
    """Return max(1, ood_score), `(clips, 1)`."""
    return ((novelty - median) / (p95 - median)).clamp(min=1).unsqueeze(1)


def temperature(logits: Tensor, labels: Tensor, weights: Tensor | None = None) -> float:
    """Return the divisor of the logits that minimizes the cross-entropy, in [0.05, 20] (Guo et al. 2017).

    As in Platt (1999), the true class of n clips has the target probability (n + 1) / (n + 2): if every clip is
    right, the temperature would otherwise fall without limit.
    `weights` `(clips,)` have the sum 1; None for equal ones.
    """
    clips, classes = logits.shape
    smoothing = classes / (classes - 1) / (clips + 2)  # of which the true class keeps its share: 1 / classes

    def loss(log_temperature: float) -> float:
        scaled = logits.double() / np.exp(log_temperature)
        losses = functional.cross_entropy(scaled, labels, label_smoothing=smoothing, reduction="none")
        return float(losses.mean() if weights is None else (losses * weights.double()).sum())

    result = minimize_scalar(loss, bounds=(np.log(0.05), np.log(20.0)), method="bounded")
    return float(np.exp(result.x))

"""Making probabilities mean what they say, for voices that are new and for sounds that are strange."""

from dataclasses import dataclass

import numpy as np
import torch
from scipy.optimize import minimize_scalar
from torch import Tensor
from torch.nn import functional

from audiomnist.training.cross_validation import Outputs

_QUANTILES = (0.5, 0.95)
_LEAST_SPAN = 0.1


@dataclass(frozen=True)
class Calibration:
    """How logits become probabilities: softmax of logits / (temperature * max(1, ood_score)).

    `ood_score` is (novelty - ood_median) / (ood_p95 - ood_median): about 0 for a digit by a new
    voice, and above 1 for one in twenty of them. Beyond 1 certainty fades in proportion.

    Attributes:
        temperature: divisor of the logits of familiar sounds.
        ood_median: median of the clips of new voices.
        ood_p95: their 95th percentile, or 0.1 above the median where that is more.
    """

    temperature: float
    ood_median: float
    ood_p95: float


def calibrate(answers: Outputs, familiar: Outputs | None = None) -> Calibration:
    """Choose the scale of novelty, then the temperature.

    Args:
        answers: to clips of voices that were not trained on. They set the scale of novelty.
        familiar: to clips of the training voices that were not trained on, where there are some. In service voices of
            both kinds are met, so the temperature is chosen by both, each kind with half of the weight.
    """
    typical, strange = torch.quantile(answers.novelty.double(), torch.tensor(_QUANTILES).double()).tolist()
    strange = max(strange, typical + _LEAST_SPAN)
    kinds = [answers] if familiar is None else [answers, familiar]
    faded = torch.cat([kind.logits / _fading(kind.novelty, typical, strange) for kind in kinds])
    weights = torch.cat([torch.full((len(kind.labels),), 1 / len(kind.labels) / len(kinds)) for kind in kinds])
    return Calibration(temperature(faded, torch.cat([kind.labels for kind in kinds]), weights), typical, strange)


def confidence(answers: Outputs, calibration: Calibration) -> Tensor:
    """Return the calibrated probability of each clip's label, `(clips,)`."""
    fading = _fading(answers.novelty, calibration.ood_median, calibration.ood_p95)
    return (answers.logits / (calibration.temperature * fading)).softmax(dim=1).amax(dim=1)


def _fading(novelty: Tensor, typical: float, strange: float) -> Tensor:
    """Return max(1, ood_score), `(clips, 1)`."""
    return ((novelty - typical) / (strange - typical)).clamp(min=1).unsqueeze(1)


def temperature(logits: Tensor, labels: Tensor, weights: Tensor | None = None) -> float:
    """Return the divisor of the logits that makes the labels most likely, in [0.05, 20].

    The clips count by `weights` `(clips,)`, which sum to 1, or all alike.

    The method is that of Guo et al. (2017). As in Platt (1999), a label counts as (n + 1) / (n + 2) certain
    with n clips: where every clip is right, the temperature would otherwise sink without end.
    """
    smoothing = _smoothing(len(labels), logits.shape[1])

    def loss(log_temperature: float) -> float:
        scaled = logits.double() / np.exp(log_temperature)
        losses = functional.cross_entropy(scaled, labels, label_smoothing=smoothing, reduction="none")
        return float(losses.mean() if weights is None else (losses * weights.double()).sum())

    found = minimize_scalar(loss, bounds=(np.log(0.05), np.log(20.0)), method="bounded")
    return float(np.exp(found.x))


def _smoothing(clips: int, classes: int) -> float:
    """Return the smoothing, spread over all classes, that leaves (clips + 1) / (clips + 2) to the true one."""
    return classes / (classes - 1) / (clips + 2)

"""Predictions of a trained model for clips that it was not trained on."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from audiomnist.serving.bundle import out_of_fold
from audiomnist.serving.bundle.description import describe_training
from audiomnist.serving.model import Predictions, calibrated


class HeldOut(NamedTuple):
    """Predictions for clips, ordered by file.

    Attributes:
        files: names of the clips.
        digits: their digits, int64 `(clips,)`.
        predictions: calibrated.
    """

    files: list[str]
    digits: NDArray[np.int64]
    predictions: Predictions


def held_out_predictions(trained: Path) -> HeldOut:
    """Return the out-of-fold outputs in the folder of a trained model, calibrated.

    Raises:
        BundleError: they or the description of the model cannot be read.
    """
    outputs = out_of_fold.read(trained)
    order = np.argsort(outputs.files)
    calibration = describe_training(trained).calibration
    predictions = calibrated(outputs.logits[order], outputs.novelty[order], calibration)
    return HeldOut(sorted(outputs.files), outputs.digits[order], predictions)

"""A linear baseline: logistic regression on statistics of each clip's MFCCs.

What a network is worth shows beside the simplest model of the same features.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from audiomnist.core.digits import CLASSES, PROBABILITIES
from audiomnist.core.errors import AudiomnistError
from audiomnist.corpus.splits import Clip
from audiomnist.features.store import INDEX, TENSOR
from audiomnist.models.params.linear import BaselineParams

_CLEAN = 0
_THIRDS = 3


class BaselineError(AudiomnistError):
    """The linear baseline cannot be fitted: its features are absent, or the regression does not converge."""


def predict(features: Path, clips: Sequence[Clip], params: BaselineParams) -> pd.DataFrame:
    """Fit the baseline to the training part, unaltered copies only; return its predictions of the test part.

    Args:
        features: the folder of the MFCC tensor and its index.
        clips: the split.
        params: how it is fitted.

    Returns:
        a row per test clip: `file`, `speaker`, `digit`, `predicted` and `p0` to `p9`.

    Raises:
        BaselineError: a clip of the split has no features, or the regression does not converge.
    """
    train, test = ([clip for clip in clips if clip.subset == part] for part in ("train", "test"))
    model = fitted(statistics(features, train), [clip.digit for clip in train], params)
    table = pd.DataFrame([(clip.file, clip.speaker, clip.digit) for clip in test])
    table.columns = pd.Index(["file", "speaker", "digit"])
    probabilities = np.zeros((len(test), CLASSES), dtype=np.float32)
    probabilities[:, model.classes_] = model.predict_proba(statistics(features, test))
    table["predicted"] = probabilities.argmax(axis=1)
    table[PROBABILITIES] = probabilities
    return table


def fitted(described: NDArray[np.float64], digits: Sequence[int], params: BaselineParams) -> Pipeline:
    """Return a multinomial logistic regression over standardized statistics.

    Args:
        described: `(clips, statistics)`.
        digits: what is said in each clip.
        params: penalty and steps.

    Raises:
        BaselineError: it does not converge.
    """
    regression = LogisticRegression(C=params.C, max_iter=params.max_iter)
    model = make_pipeline(StandardScaler(), regression).fit(described, digits)
    if max(regression.n_iter_) >= params.max_iter:
        raise BaselineError(
            f"the linear baseline does not converge in {params.max_iter} steps: raise models.linear.max_iter, "
            "or lower models.linear.C"
        )
    return model


def statistics(features: Path, clips: Sequence[Clip]) -> NDArray[np.float64]:
    """Return the statistics `(clips, 5 * coefficients + 1)` of the unaltered copy of each clip.

    Raises:
        BaselineError: the tensor cannot be read, or lacks a clip.
    """
    try:
        tensor: NDArray[np.float32] = np.load(features / TENSOR, mmap_mode="r", allow_pickle=False)
        index = pd.read_parquet(features / INDEX)
    except (OSError, EOFError, ValueError) as error:
        raise BaselineError(f"no features can be read from {features} ({error}): dvc repro makes them") from error
    clean = index[index["copy"] == _CLEAN]
    place = dict(zip(clean["file"], zip(clean.index, clean["frames"], strict=True), strict=True))
    absent = [clip.file for clip in clips if clip.file not in place]
    if absent:
        raise BaselineError(f"{features} has no features of {absent[0]} ({len(absent)} absent): dvc repro makes them")
    return np.stack([describe(tensor[row, :, :frames]) for row, frames in (place[clip.file] for clip in clips)])


def describe(mfcc: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the statistics `(5 * coefficients + 1,)` of one clip.

    For each coefficient its mean, its standard deviation and its mean in each third of the clip, then the number of
    frames. Thirds of a clip whose frames do not divide by three are as equal as they can be; none is empty.

    Args:
        mfcc: `(coefficients, frames)`, the clip's own frames only, at least one.
    """
    values = mfcc.astype(np.float64)
    frames = values.shape[1]
    starts = [third * frames // _THIRDS for third in range(_THIRDS)]
    stops = [max(start + 1, (third + 1) * frames // _THIRDS) for third, start in enumerate(starts)]
    thirds = [values[:, start:stop].mean(axis=1) for start, stop in zip(starts, stops, strict=True)]
    return np.concatenate([values.mean(axis=1), values.std(axis=1), *thirds, [frames]])

"""Linear baseline: logistic regression on statistics of each clip's MFCCs."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from audiomnist.core.digits import CLASSES, PROBABILITIES
from audiomnist.core.errors import AudiomnistError
from audiomnist.corpus.splits import Clip
from audiomnist.features.store import INDEX, TENSOR
from audiomnist.models.params.linear import BaselineParams


class BaselineError(AudiomnistError):
    """The linear baseline cannot be fitted: its features are absent, or the regression does not converge."""


def predict(features: Path, clips: Sequence[Clip], params: BaselineParams) -> pd.DataFrame:
    """Fit a multinomial logistic regression to the training subset of a split and predict its test subset.

    Both are read unaltered from the folder `features` of the MFCC tensor and its index.

    Returns:
        a row per test clip: `file`, `speaker`, `digit`, `predicted` and `p0` to `p9`.

    Raises:
        BaselineError: the features cannot be read, or lack a clip, or the regression does not converge.
    """
    train = [clip for clip in clips if clip.subset == "train"]
    test = [clip for clip in clips if clip.subset == "test"]
    regression = LogisticRegression(C=params.C, max_iter=params.max_iter)
    model = make_pipeline(StandardScaler(), regression)
    model.fit(statistics(features, train), [clip.digit for clip in train])
    if max(regression.n_iter_) >= params.max_iter:
        raise BaselineError(
            f"the linear baseline does not converge in {params.max_iter} steps: raise models.linear.max_iter, "
            "or lower models.linear.C"
        )
    probabilities = np.zeros((len(test), CLASSES), dtype=np.float32)
    probabilities[:, model.classes_] = model.predict_proba(statistics(features, test))
    table = pd.DataFrame([vars(clip) for clip in test], columns=["file", "speaker", "digit"])
    table["predicted"] = probabilities.argmax(axis=1)
    table[PROBABILITIES] = probabilities
    return table


def statistics(features: Path, clips: Sequence[Clip]) -> NDArray[np.float64]:
    """Return the statistics `(clips, 5 * coefficients + 1)` of the unaltered copy of each clip."""
    try:
        tensor: NDArray[np.float32] = np.load(features / TENSOR, mmap_mode="r", allow_pickle=False)
        index = pd.read_parquet(features / INDEX)
    except (OSError, EOFError, ValueError) as error:
        raise BaselineError(f"no features can be read from {features} ({error}): dvc repro makes them") from error
    unaltered = index[index["copy"] == 0]
    rows = dict(zip(unaltered["file"], zip(unaltered.index, unaltered["frames"], strict=True), strict=True))
    absent = [clip.file for clip in clips if clip.file not in rows]
    if absent:
        raise BaselineError(f"{features} has no features of {absent[0]} ({len(absent)} absent): dvc repro makes them")
    return np.stack([describe(tensor[row, :, :frames]) for row, frames in (rows[clip.file] for clip in clips)])


def describe(mfcc: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the statistics `(5 * coefficients + 1,)` of one clip.

    For each coefficient its mean, its standard deviation and its mean in each third of the clip, then the number of
    frames. Thirds are as equal as possible, and none is empty. `mfcc` is `(coefficients, frames)`, without padding.
    """
    values = mfcc.astype(np.float64)
    frames = values.shape[1]
    bounds = [third * frames // 3 for third in range(4)]
    thirds = [values[:, start : max(start + 1, stop)].mean(axis=1) for start, stop in pairwise(bounds)]
    return np.concatenate([values.mean(axis=1), values.std(axis=1), *thirds, [frames]])

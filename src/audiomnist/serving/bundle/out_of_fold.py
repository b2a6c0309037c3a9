"""Outputs of networks for clips that they were not trained on, beside the description of a trained model.

They are those that calibrated the model: of the networks of its folds, or without folds of the model itself on the
validation subset. A cascade learns from them (`audiomnist.cascade.learn`). No served bundle has them.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from audiomnist.core.digits import LOGITS
from audiomnist.serving.bundle.description import BundleError

OUT_OF_FOLD = "out_of_fold.parquet"


class OutOfFold(NamedTuple):
    """Outputs for clips.

    Attributes:
        files: names of the clips.
        digits: their digits, int64 `(clips,)`.
        logits: float32 `(clips, 10)`.
        novelty: float32 `(clips,)`.
    """

    files: Sequence[str]
    digits: NDArray[np.int64]
    logits: NDArray[np.float32]
    novelty: NDArray[np.float32]


def write(folder: Path, outputs: OutOfFold) -> None:
    """Write outputs into an existing folder: `file`, `digit`, `l0` to `l9` and `novelty`."""
    columns = {"file": outputs.files, "digit": outputs.digits, **dict(zip(LOGITS, outputs.logits.T, strict=True))}
    pq.write_table(pa.table({**columns, "novelty": outputs.novelty}), folder / OUT_OF_FOLD, compression="zstd")


def read(folder: Path) -> OutOfFold:
    """Return the outputs in the folder of a trained model; raises BundleError if they cannot be read."""
    try:
        table = pq.read_table(folder / OUT_OF_FOLD)
        logits = np.stack([table[name].to_numpy() for name in LOGITS], axis=1)
        return OutOfFold(table["file"].to_pylist(), table["digit"].to_numpy(), logits, table["novelty"].to_numpy())
    except (OSError, KeyError, pa.ArrowException) as error:
        raise BundleError(
            f"{folder / OUT_OF_FOLD} cannot be read: {error}. dvc repro train@{folder.name} writes it"
        ) from error

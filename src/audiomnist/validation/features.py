"""The gate of the feature tensor: `mfcc.npy`, `(rows, coefficients, frames)` in dB, and `index.parquet`.

Row i of the index (file, copy, valid frames) speaks of row i of the tensor; copy 0 is the unaltered
recording, and what lies beyond the valid frames is padding.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from audiomnist.validation.bounds import FeatureBounds
from audiomnist.validation.measurements import MeasurementError, found_in, read_manifest, read_table, usual
from audiomnist.validation.rules import Rule, among, at_most, between, unique

_AXES = 3
_INDEX_COLUMNS = ["file", "copy", "frames"]
_MATRIX_COLUMNS = [
    *("finite", "lowest_db", "highest_db", "largest_padding_db"),
    *("deviation_over_time_db", "deviation_over_coefficients_db"),
]

Tensor = NDArray[np.floating[Any]]


def rules(bounds: FeatureBounds) -> list[Rule]:
    """Return the rules for the columns of `measure`."""
    low, high = bounds.min_value_db, bounds.max_value_db
    over_time, over_coefficients = (
        bounds.min_std_over_time_db,
        bounds.min_std_over_coefficients_db,
    )
    return [
        among("manifest, index and tensor all have it", "found_in", ["manifest and index and tensor"]),
        unique("no copy of a recording stands twice in the index", "file", "copy"),
        among("the first copy is number 0, the unaltered recording", "first_copy", [0]),
        among("there are as many copies as of most recordings", "copies_beside_usual", [0]),
        among("values are float32", "dtype", ["float32"]),
        among("all values are finite numbers", "finite", [True]),
        between("there is at least one valid frame", "frames", 1),
        at_most("there are at most as many valid frames as the tensor has", "frames", "tensor_frames"),
        between(f"no value is below {low:g} dB", "lowest_db", low),
        between(f"no value is above {high:g} dB", "highest_db", None, high),
        among("the padding after the valid frames is zero", "largest_padding_db", [0.0]),
        between(
            f"values differ over time, by a deviation of at least {over_time:g} dB",
            *("deviation_over_time_db", over_time),
        ),
        between(
            f"coefficients differ, by a deviation of at least {over_coefficients:g} dB",
            *("deviation_over_coefficients_db", over_coefficients),
        ),
    ]


def measure(manifest: Path, folder: Path) -> pd.DataFrame:
    """Return one row per row of the tensor or its index, and one per recording that has neither.

    The tensor is mapped and read row by row: it may be larger than memory.
    """
    files = [recording.file for recording in read_manifest(manifest)]
    tensor = _map_tensor(folder / "mfcc.npy")
    frame = _beside_tensor(read_table(folder / "index.parquet", _INDEX_COLUMNS), tensor)
    missing = pd.DataFrame({"file": sorted(set(files) - set(frame["file"]))}, dtype=str)
    frame = pd.concat([frame, missing], ignore_index=True)
    frame["recording"] = [_name_copy(*row) for row in zip(frame["file"], frame["copy"], strict=True)]
    in_index, in_tensor = frame["copy"].notna(), frame["finite"].notna()
    frame["found_in"] = found_in(manifest=frame["file"].isin(files), index=in_index, tensor=in_tensor)
    frame["dtype"], frame["tensor_frames"] = str(tensor.dtype), tensor.shape[2]
    return _with_copies(frame)


def _beside_tensor(index: pd.DataFrame, tensor: Tensor) -> pd.DataFrame:
    frame = index.join(_tensor_rows(tensor, index["frames"]), how="outer")
    names = pd.Series([f"(row {row} of the tensor)" for row in frame.index], index=frame.index)
    return frame.assign(file=frame["file"].fillna(names))


def _with_copies(frame: pd.DataFrame) -> pd.DataFrame:
    copies = frame.dropna(subset="copy").groupby("file")["copy"]
    beside_usual = copies.count() - usual(copies.count())
    return frame.assign(copies_beside_usual=frame["file"].map(beside_usual), first_copy=frame["file"].map(copies.min()))


def _name_copy(file: str, copy: float) -> str:
    return f"{file} (copy {copy:g})" if copy > 0 else file


def _map_tensor(path: Path) -> Tensor:
    try:
        tensor: Tensor = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise MeasurementError(f"{path} cannot be read: {error}") from error
    if tensor.ndim != _AXES or 0 in tensor.shape or not np.issubdtype(tensor.dtype, np.floating):
        wanted = "floats (rows, coefficients, frames)"
        raise MeasurementError(f"{path} is {tensor.dtype} {tensor.shape}, not {wanted}")
    return tensor


def _tensor_rows(tensor: Tensor, index_frames: "pd.Series[Any]") -> pd.DataFrame:
    rows, _, most = tensor.shape
    frames = index_frames.reindex(range(rows)).fillna(most).clip(1, most).astype(int)
    measured = [_matrix(matrix, count) for matrix, count in zip(tensor.view(np.ndarray), frames, strict=True)]
    return pd.DataFrame(measured, columns=_MATRIX_COLUMNS)


def _matrix(matrix: Tensor, frames: int) -> dict[str, Any]:
    if not np.isfinite(matrix).all():
        return {"finite": False}
    own = matrix[:, :frames].astype(np.float64)  # (coefficients, valid frames)
    return {
        "finite": True,
        "lowest_db": own.min(),
        "highest_db": own.max(),
        "largest_padding_db": np.abs(matrix[:, frames:]).max(initial=0.0),
        "deviation_over_time_db": own.std(axis=1).mean(),
        "deviation_over_coefficients_db": own.mean(axis=1).std(),
    }

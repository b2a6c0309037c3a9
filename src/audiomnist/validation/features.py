"""The gate of the features: the tensor `(rows, coefficients, frames)` in dB, and its index.

Row i of the index (file, copy, valid frames) describes row i of the tensor. Copy 0 is the unaltered recording; frames
after the valid ones are padding.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from audiomnist.features.store import INDEX, TENSOR
from audiomnist.validation.bounds import FeatureBounds
from audiomnist.validation.measurements import MeasurementError, found_in, read_manifest, read_table
from audiomnist.validation.rules import Rule, among, at_most, between, unique

_AXES = 3
_BOUNDED = ["lowest_db", "highest_db", "largest_padding_db", "std_over_time_db", "std_over_coefficients_db"]

Tensor = NDArray[np.floating[Any]]


def rules(bounds: FeatureBounds) -> list[Rule]:
    """Return the rules for the columns of `measure`."""
    low, high = bounds.min_value_db, bounds.max_value_db
    over_time, over_coefficients = bounds.min_std_over_time_db, bounds.min_std_over_coefficients_db
    of_coefficients = f"the standard deviation over coefficients is at least {over_coefficients:g} dB"
    return [
        among("manifest, index and tensor all contain it", "found_in", ["manifest and index and tensor"]),
        unique("no copy of a recording is twice in the index", "file", "copy"),
        among("the first copy is number 0, the unaltered recording", "first_copy", [0]),
        among("there are as many copies as of most recordings", "copy_imbalance", [0]),
        among("values are float32", "dtype", ["float32"]),
        among("all values are finite numbers", "finite", [True]),
        between("there is at least one valid frame", "frames", 1),
        at_most("there are at most as many valid frames as the tensor has", "frames", "tensor_frames"),
        between(f"no value is below {low:g} dB", "lowest_db", low),
        between(f"no value is above {high:g} dB", "highest_db", high=high),
        among("the padding after the valid frames is zero", "largest_padding_db", [0.0]),
        between(f"the standard deviation over time is at least {over_time:g} dB", "std_over_time_db", over_time),
        between(of_coefficients, "std_over_coefficients_db", over_coefficients),
    ]


def measure(manifest: Path, folder: Path) -> pd.DataFrame:
    """Return one row per row of the tensor or its index, and one per recording that has neither.

    The tensor is memory-mapped and read row by row: it may be larger than memory.
    """
    files = [recording.file for recording in read_manifest(manifest)]
    tensor = _map_tensor(folder / TENSOR)
    frame = _join(read_table(folder / INDEX, ["file", "copy", "frames"]), tensor)
    missing = pd.DataFrame({"file": sorted(set(files) - set(frame["file"]))}, dtype=str)
    frame = pd.concat([frame, missing], ignore_index=True)
    copies = frame.dropna(subset="copy").groupby("file")["copy"]
    return frame.assign(
        recording=[
            f"{file} (copy {copy:g})" if copy > 0 else file
            for file, copy in zip(frame["file"], frame["copy"], strict=True)
        ],
        found_in=found_in(
            manifest=frame["file"].isin(files), index=frame["copy"].notna(), tensor=frame["finite"].notna()
        ),
        dtype=str(tensor.dtype),
        tensor_frames=tensor.shape[2],
        copy_imbalance=frame["file"].map(copies.count() - copies.count().mode().max()),
        first_copy=frame["file"].map(copies.min()),
    )


def _map_tensor(path: Path) -> Tensor:
    try:
        tensor: Tensor = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise MeasurementError(f"{path} cannot be read: {error}") from error
    if tensor.ndim != _AXES or 0 in tensor.shape or not np.issubdtype(tensor.dtype, np.floating):
        raise MeasurementError(f"{path} is {tensor.dtype} {tensor.shape}, not floats (rows, coefficients, frames)")
    return tensor


def _join(index: pd.DataFrame, tensor: Tensor) -> pd.DataFrame:
    """Return the index beside a measurement of each row of the tensor."""
    rows, _, length = tensor.shape
    frames = index["frames"].reindex(range(rows)).fillna(length).clip(1, length).astype(int)
    measured = [_measure_row(matrix, count) for matrix, count in zip(tensor.view(np.ndarray), frames, strict=True)]
    frame = index.join(pd.DataFrame(measured, columns=["finite", *_BOUNDED]), how="outer")
    names = pd.Series([f"(row {row} of the tensor)" for row in frame.index], index=frame.index)
    return frame.assign(file=frame["file"].fillna(names))


def _measure_row(matrix: Tensor, frames: int) -> dict[str, Any]:
    if not np.isfinite(matrix).all():
        return {"finite": False}
    valid = matrix[:, :frames].astype(np.float64)  # (coefficients, valid frames)
    return {
        "finite": True,
        "lowest_db": valid.min(),
        "highest_db": valid.max(),
        "largest_padding_db": np.abs(matrix[:, frames:]).max(initial=0.0),
        "std_over_time_db": valid.std(axis=1).mean(),
        "std_over_coefficients_db": valid.mean(axis=1).std(),
    }

"""Reading the tables that a gate measures, and joining them."""

from pathlib import Path
from typing import Any

import pandas as pd

from audiomnist.core.errors import AudiomnistError
from audiomnist.corpus import manifest as manifests


class MeasurementError(AudiomnistError):
    """Data has not the shape that can be measured: no rows, no such column, no such file."""


def read_manifest(path: Path) -> list[manifests.Recording]:
    """Return the recordings of a manifest, at least one."""
    recordings = manifests.read(path)
    if not recordings:
        raise MeasurementError(f"{path} names no recording")
    return recordings


def read_table(path: Path, columns: list[str]) -> pd.DataFrame:
    """Return these columns of a Parquet file."""
    try:
        return pd.read_parquet(path, columns=columns)
    except (OSError, ValueError) as error:
        raise MeasurementError(f"{path} cannot be read as a table of {', '.join(columns)}: {error}") from error


def found_in(**places: "pd.Series[bool]") -> list[str]:
    """Return for each row the names of the places that have it, as in `manifest and index`."""
    rows = zip(*places.values(), strict=True)
    return [" and ".join(place for place, found in zip(places, row, strict=True) if found) for row in rows]


def usual(values: "pd.Series[Any]") -> Any:
    """Return the most common value, the largest of several; NaN where there is no value."""
    return values.mode().max() if values.notna().any() else float("nan")

"""Reading and joining the tables that a gate measures."""

from pathlib import Path

import pandas as pd

from audiomnist.core.errors import AudiomnistError
from audiomnist.corpus import manifest as manifests


class MeasurementError(AudiomnistError):
    """Data cannot be measured: it has no rows, a column is missing, or a file cannot be read."""


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


def found_in(**sources: "pd.Series[bool]") -> list[str]:
    """Return for each row the names of the sources that contain it, as in `manifest and index`."""
    rows = zip(*sources.values(), strict=True)
    return [" and ".join(name for name, found in zip(sources, row, strict=True) if found) for row in rows]

"""The files of the reviewed recordings, in a folder that DVC versions, and what they make of the dataset's version."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from audiomnist.core.errors import AudiomnistError
from audiomnist.core.hashing import sha256_of
from audiomnist.core.text import listed
from audiomnist.corpus import info
from audiomnist.corpus.info import Dataset
from audiomnist.corpus.manifest import Recording

_VERSION_CHARACTERS = 12


class ReviewedError(AudiomnistError):
    """The files of the reviewed recordings are not those of data/reviewed.csv, or clash with the corpus."""


def check(folder: Path, rows: Sequence[Recording]) -> None:
    """Raise ReviewedError unless `folder` has the files of all reviewed recordings, to the byte; it may have others."""
    differing = [
        row.file for row in rows if not (folder / row.file).is_file() or sha256_of(folder / row.file) != row.sha256
    ]
    if differing:
        raise ReviewedError(
            f"{folder} lacks {len(differing)} of the {len(rows)} reviewed recordings, or has others in their place: "
            f"{listed(differing)}. `dvc checkout {folder}.dvc` brings them, or `dvc pull {folder}.dvc`"
        )


def add(folder: Path, rows: Sequence[Recording], raw: Path, corpus: Sequence[Recording]) -> None:
    """Copy the reviewed recordings into `raw`, the folder of the recordings `corpus`.

    Raises:
        ReviewedError: a file is missing or altered, or has the name of one of the corpus.
    """
    names = {row.file for row in corpus}
    if clashing := [row.file for row in rows if row.file in names]:
        raise ReviewedError(
            f"reviewed recordings have the names of others in the corpus: {listed(clashing)}. Delete their rows in "
            f"{folder}.csv, and `audiomnist corpus add` gives them other names"
        )
    check(folder, rows)
    for row in rows:
        shutil.copyfile(folder / row.file, raw / row.file)


def dataset_with(dataset: Dataset, rows: Sequence[Recording]) -> Dataset:
    """Return the dataset with the reviewed recordings: its version has their number and a hash of their contents."""
    if not rows:
        return dataset
    version = f"{dataset.version} and {len(rows)} reviewed, {info.content_sha256(rows)[:_VERSION_CHARACTERS]}"
    return Dataset(dataset.name, version)

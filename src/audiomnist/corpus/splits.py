"""Splits of the recordings into training, validation and test set.

There are three schemes: `random` (of the paper: a fraction of the recordings, stratified by digit and speaker),
`official` (of upstream: takes 0 to 4 are the test set) and `speaker` (all recordings of one speaker are the test set).
Recordings with identical content are always in the same subset.
"""

import csv
import io
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field

from audiomnist.core import atomic
from audiomnist.core.digits import CLASSES
from audiomnist.core.errors import AudiomnistError
from audiomnist.core.params import Section
from audiomnist.corpus import manifest
from audiomnist.corpus.manifest import Recording

SUBSETS = ("train", "validation", "test")
_OFFICIAL_TEST_TAKES = range(5)


class SplitError(AudiomnistError):
    """The corpus cannot be split as requested, the split would leak, or a file is not a split."""


class SplitParams(Section):
    """Section `split`.

    Attributes:
        scheme: `random`, `official` or `speaker`.
        seed: seed of the random choices (>= 0).
        test_fraction: fraction of the recordings in the test set, for `random`.
        validation_fraction: fraction of the other recordings in the validation set, which chooses the checkpoint.
        test_speaker: the speaker of the test set, for `speaker`.
        max_train_speakers: for `speaker`, number of other speakers in the training and validation set: the
            next ones after `test_speaker` in the cyclic order of names. The rest is in no subset. None for all.
    """

    scheme: Literal["random", "official", "speaker"]
    seed: int = Field(ge=0)
    test_fraction: float = Field(gt=0, lt=1)
    validation_fraction: float = Field(gt=0, lt=1)
    test_speaker: str
    max_train_speakers: int | None = Field(ge=1)


@dataclass(frozen=True)
class Clip:
    """One row of a split: a recording and its subset."""

    file: str
    digit: int
    speaker: str
    subset: str


def split(recordings: Path, params: SplitParams, out: Path) -> None:
    """Write `file,digit,speaker,subset` of each recording of a manifest that is in a subset."""
    rows = manifest.read(recordings)
    subsets = assign(rows, params)
    write(out, [Clip(row.file, row.digit, row.speaker, subsets[row.file]) for row in rows if row.file in subsets])


def write(path: Path, clips: Iterable[Clip]) -> None:
    """Write clips, in their order."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["file", "digit", "speaker", "subset"])
    writer.writerows([clip.file, clip.digit, clip.speaker, clip.subset] for clip in clips)
    atomic.write_text(path, text.getvalue())


def read(path: Path) -> list[Clip]:
    """Read a split, in the order of the file; raises SplitError if it is not valid."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return [_clip(row) for row in csv.DictReader(file)]
    except OSError as error:
        raise SplitError(f"{path} cannot be read ({error.strerror}): dvc checkout or dvc repro brings it") from error
    except (KeyError, ValueError, csv.Error) as error:
        raise SplitError(
            f"{path} is no split, which has file, digit, speaker and subset of each clip ({error}): dvc repro makes one"
        ) from error


def _clip(row: dict[str, str]) -> Clip:
    """Return the clip of a row; raises KeyError or ValueError if it is not valid."""
    clip = Clip(row["file"], int(row["digit"] or ""), row["speaker"], row["subset"])
    if clip.digit not in range(CLASSES):
        raise ValueError(f"{clip.file} has the digit {clip.digit}")
    if clip.subset not in SUBSETS:
        raise ValueError(f"{clip.file} is in the subset {clip.subset}")
    return clip


def assign(rows: Sequence[Recording], params: SplitParams) -> dict[str, str]:
    """Return the subset of each file that is in one.

    Raises:
        SplitError: a subset would be empty, or two subsets would have the same content.
    """
    test = _test_files(rows, params)
    rows = _used(rows, params)
    rest = [row for row in rows if row.file not in test]
    validation = _stratified(rest, params.validation_fraction, params.seed + 1)
    subsets = {row.file: "test" if row.file in test else "train" for row in rows}
    subsets |= dict.fromkeys(validation, "validation")
    _check(rows, subsets)
    return subsets


def _test_files(rows: Sequence[Recording], params: SplitParams) -> set[str]:
    if params.scheme == "random":
        return _stratified(rows, params.test_fraction, params.seed)
    if params.scheme == "official":
        return {row.file for row in rows if row.take in _OFFICIAL_TEST_TAKES}
    speakers = {row.speaker for row in rows}
    if params.test_speaker not in speakers:
        raise SplitError(f"split.test_speaker is {params.test_speaker!r}; the corpus has {', '.join(sorted(speakers))}")
    return {row.file for row in rows if row.speaker == params.test_speaker}


def _used(rows: Sequence[Recording], params: SplitParams) -> list[Recording]:
    """Return the recordings of the test speaker and of `max_train_speakers` others."""
    if params.scheme != "speaker" or params.max_train_speakers is None:
        return list(rows)
    speakers = sorted({row.speaker for row in rows})
    first = speakers.index(params.test_speaker)
    chosen = (speakers[first:] + speakers[:first])[: 1 + params.max_train_speakers]
    return [row for row in rows if row.speaker in chosen]


def _stratified(rows: Iterable[Recording], fraction: float, seed: int) -> set[str]:
    """Choose `fraction` of the distinct contents of each (digit, speaker), with all their files.

    What rounding leaves of a stratum is added to the next one of the same digit, in a random order of the speakers.
    """
    strata: dict[tuple[int, str], dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    first_stratum: dict[str, tuple[int, str]] = {}
    for row in sorted(rows):
        stratum = first_stratum.setdefault(row.sha256, (row.digit, row.speaker))
        strata[stratum][row.sha256].append(row.file)
    rng = np.random.default_rng(seed)
    permuted = {
        stratum: [list(contents.values())[index] for index in rng.permutation(len(contents))]
        for stratum, contents in sorted(strata.items())
    }
    ranks = dict(zip(permuted, rng.permutation(len(permuted)), strict=True))
    chosen: set[str] = set()
    due = 0.0
    for stratum in sorted(permuted, key=lambda stratum: (stratum[0], ranks[stratum])):
        due += fraction * len(permuted[stratum])
        count = round(due)
        due -= count
        for files in permuted[stratum][:count]:
            chosen.update(files)
    return chosen


def _check(rows: Sequence[Recording], subsets: dict[str, str]) -> None:
    absent = set(SUBSETS) - set(subsets.values())
    if absent:
        raise SplitError(f"the split leaves no recording for: {', '.join(sorted(absent))}")
    subset_of_content: dict[str, str] = {}
    for row in rows:
        if subset_of_content.setdefault(row.sha256, subsets[row.file]) != subsets[row.file]:
            raise SplitError(f"{row.file} has the same content as a recording of another subset")

"""Which recordings train a model, which choose its checkpoint, and which judge it.

Three schemes: `random` (the paper's: a share of the recordings, stratified by digit and speaker),
`official` (upstream's own: takes 0 to 4 are the test) and `speaker` (one speaker is held out).
Recordings with identical content always stand on the same side.
"""

import csv
import io
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field

from audiomnist.core import atomic
from audiomnist.core.errors import AudiomnistError
from audiomnist.core.params import Section
from audiomnist.corpus import manifest
from audiomnist.corpus.manifest import Recording

SUBSETS = ("train", "validation", "test")
_OFFICIAL_TEST_TAKES = range(5)


class SplitError(AudiomnistError):
    """The corpus cannot be split as asked, the split would leak, or a file is none."""


class SplitParams(Section):
    """Section `split`.

    Attributes:
        scheme: `random`, `official` or `speaker`.
        seed: of the random choices (>= 0).
        test_fraction: share of the recordings that are the test part, for `random`.
        validation_fraction: share of the other recordings that choose the checkpoint.
        test_speaker: the speaker of the test part, for `speaker`.
        max_train_speakers: for `speaker`, how many of the other speakers are heard, in the order of names from the one
            after `test_speaker` on, round to the beginning; the others stand in no part. None for all.
    """

    scheme: Literal["random", "official", "speaker"]
    seed: int = Field(ge=0)
    test_fraction: float = Field(gt=0, lt=1)
    validation_fraction: float = Field(gt=0, lt=1)
    test_speaker: str
    max_train_speakers: int | None = Field(ge=1)


@dataclass(frozen=True)
class Clip:
    """One row of the split: a recording, what it says, who speaks, and the part it stands in."""

    file: str
    digit: int
    speaker: str
    subset: str


def split(recordings: Path, how: SplitParams, out: Path) -> None:
    """Write `file,digit,speaker,subset` for each recording of a manifest that stands in a part."""
    rows = manifest.read(recordings)
    parts = assign(rows, how)
    write(out, [Clip(row.file, row.digit, row.speaker, parts[row.file]) for row in rows if row.file in parts])


def write(path: Path, clips: Iterable[Clip]) -> None:
    """Write clips, in their order."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["file", "digit", "speaker", "subset"])
    writer.writerows([clip.file, clip.digit, clip.speaker, clip.subset] for clip in clips)
    atomic.write_text(path, text.getvalue())


def read(path: Path) -> list[Clip]:
    """Read a split, in the order of the file; raises SplitError if it is none."""
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
    """Return the clip of a row; raises KeyError or ValueError if it is none."""
    clip = Clip(row["file"], int(row["digit"] or ""), row["speaker"], row["subset"])
    if clip.digit not in range(10):
        raise ValueError(f"{clip.file} has the digit {clip.digit}")
    if clip.subset not in SUBSETS:
        raise ValueError(f"{clip.file} is in the subset {clip.subset}")
    return clip


def assign(rows: Sequence[Recording], params: SplitParams) -> dict[str, str]:
    """Return the part of each file that stands in one.

    Raises:
        SplitError: a part would be empty, or the same content would stand in two parts.
    """
    is_test = _SCHEMES[params.scheme](rows, params)
    rows = _heard(rows, params)
    rest = [row for row in rows if row.file not in is_test]
    is_validation = _stratified(rest, params.validation_fraction, params.seed + 1)
    parts = {row.file: "test" if row.file in is_test else "train" for row in rows}
    parts |= dict.fromkeys(is_validation, "validation")
    _check(rows, parts)
    return parts


def _random(rows: Sequence[Recording], params: SplitParams) -> set[str]:
    return _stratified(rows, params.test_fraction, params.seed)


def _official(rows: Sequence[Recording], params: SplitParams) -> set[str]:
    del params
    return {row.file for row in rows if row.take in _OFFICIAL_TEST_TAKES}


def _by_speaker(rows: Sequence[Recording], params: SplitParams) -> set[str]:
    speakers = {row.speaker for row in rows}
    if params.test_speaker not in speakers:
        raise SplitError(f"split.test_speaker is {params.test_speaker!r}; the corpus has {', '.join(sorted(speakers))}")
    return {row.file for row in rows if row.speaker == params.test_speaker}


def _heard(rows: Sequence[Recording], params: SplitParams) -> list[Recording]:
    """Return the recordings of the held-out speaker and of those that are heard."""
    if params.scheme != "speaker" or params.max_train_speakers is None:
        return list(rows)
    speakers = sorted({row.speaker for row in rows})
    first = speakers.index(params.test_speaker)
    chosen = (speakers[first:] + speakers[:first])[: 1 + params.max_train_speakers]
    return [row for row in rows if row.speaker in chosen]


_SCHEMES: dict[str, Callable[[Sequence[Recording], SplitParams], set[str]]] = {
    "random": _random,
    "official": _official,
    "speaker": _by_speaker,
}


def _stratified(rows: Iterable[Recording], fraction: float, seed: int) -> set[str]:
    """Choose `fraction` of the distinct contents of each (digit, speaker), with all their files."""
    strata: dict[tuple[int, str], dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    first_stratum: dict[str, tuple[int, str]] = {}
    for row in sorted(rows):
        stratum = first_stratum.setdefault(row.sha256, (row.digit, row.speaker))
        strata[stratum][row.sha256].append(row.file)
    rng = np.random.default_rng(seed)
    chosen: set[str] = set()
    for _, contents in sorted(strata.items()):
        count = round(fraction * len(contents))
        for index in rng.permutation(len(contents))[:count]:
            chosen.update(list(contents.values())[index])
    return chosen


def _check(rows: Sequence[Recording], parts: dict[str, str]) -> None:
    absent = set(SUBSETS) - set(parts.values())
    if absent:
        raise SplitError(f"the split leaves no recording for: {', '.join(sorted(absent))}")
    part_of_content: dict[str, str] = {}
    for row in rows:
        if part_of_content.setdefault(row.sha256, parts[row.file]) != parts[row.file]:
            raise SplitError(f"{row.file} has the same content as a recording of another part")

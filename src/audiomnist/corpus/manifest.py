"""The manifest: a CSV with one row per recording and the SHA-256 of its file."""

import csv
import io
import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass, fields, replace
from pathlib import Path, PurePosixPath
from typing import NoReturn

from audiomnist.core import atomic
from audiomnist.core.errors import AudiomnistError
from audiomnist.core.hashing import sha256_of
from audiomnist.core.text import listed
from audiomnist.corpus import layouts
from audiomnist.corpus.layouts import LAYOUTS, Labels

_NAME = re.compile(r"(?P<digit>[0-9])_(?P<speaker>[A-Za-z0-9][A-Za-z0-9._-]*)_(?P<take>[0-9]+)\.wav")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_NOISE_OF_SPEECH_COMMANDS = "_background_noise_"


class ManifestError(AudiomnistError):
    """A manifest is malformed, or a folder of recordings differs from it."""


@dataclass(frozen=True, order=True)
class Recording:
    """One spoken digit.

    Attributes:
        file: `{digit}_{speaker}_{take}.wav`.
        sha256: of its content.
        source: path in the folder that the manifest was made of, with `/`; empty if it is `file`.
    """

    file: str
    digit: int
    speaker: str
    take: int
    sha256: str
    source: str = ""


_ALL_COLUMNS = [field.name for field in fields(Recording)]
_COLUMNS = _ALL_COLUMNS[:-1]


def parse_name(file: str, sha256: str) -> Recording:
    """Parse a file name.

    >>> parse_name("7_theo_12.wav", "").take
    12
    """
    match = _NAME.fullmatch(file)
    if match is None:
        raise ManifestError(f"{file!r} is not named {{digit}}_{{speaker}}_{{take}}.wav")
    return Recording(file, int(match["digit"]), match["speaker"], int(match["take"]), sha256)


def describe_folder(folder: Path, layout: str | None = None) -> list[Recording]:
    """Return a recording for each WAV file of a digit below `folder`, ordered by name; other words are left out.

    Files whose names state the same digit, speaker and take, or no take, are numbered in the order of their paths.

    Args:
        folder: hidden files and folders are passed over.
        layout: of the paths, see `audiomnist.corpus.layouts`; by default one of `LAYOUTS`.

    Raises:
        ManifestError: a path does not have the layout, there is no recording of a digit, or one cannot be read.
        LayoutError: the layout is malformed.
    """
    stated = {file: _labels(file, layout) for file in wav_files(folder)}
    if unknown := [file for file, found in stated.items() if found is None]:
        forms = " or ".join([layout] if layout else LAYOUTS)
        raise ManifestError(
            f"{len(unknown)} WAV files in {folder} are not named {forms}: {listed(unknown)}. "
            "Name the layout with --pattern"
        )
    spoken = {file: found for file, found in stated.items() if found is not None and found.digit is not None}
    if not spoken:
        raise ManifestError(f"{folder} holds no *.wav of a digit")
    return sorted(_described(folder / file, file, name) for file, name in _names(spoken).items())


def wav_files(folder: Path) -> list[str]:
    """Return the path of each WAV file below `folder` that is not hidden, with `/`, in their order."""
    walk = os.walk(folder, onerror=_cannot_be_read)
    paths = sorted(Path(top, name).relative_to(folder) for top, _, names in walk for name in names)
    visible = (path for path in paths if not any(part.startswith(".") for part in path.parts))
    return [path.as_posix() for path in visible if path.suffix.lower() == ".wav"]


def _cannot_be_read(error: OSError) -> NoReturn:
    raise ManifestError(f"{error.filename} cannot be read: {error.strerror}") from error


def _labels(file: str, layout: str | None) -> Labels | None:
    if _NOISE_OF_SPEECH_COMMANDS in PurePosixPath(file).parts:
        return Labels(None, "", None)
    return layouts.labels(file, (layout,) if layout else LAYOUTS)


def _names(spoken: dict[str, Labels]) -> dict[str, str]:
    """Return the name of each file in the corpus; takes are kept where each is stated and none is repeated."""
    takes: dict[tuple[int | None, str], dict[str, int | None]] = defaultdict(dict)
    for file, (digit, speaker, take) in spoken.items():
        takes[digit, speaker][file] = take
    return {
        file: f"{digit}_{speaker}_{take}.wav"
        for (digit, speaker), stated in takes.items()
        for file, take in zip(stated, _distinct(list(stated.values())), strict=True)
    }


def _distinct(takes: Sequence[int | None]) -> Sequence[int | None]:
    return range(len(takes)) if None in takes or len(set(takes)) < len(takes) else takes


def _described(path: Path, source: str, name: str) -> Recording:
    try:
        recording = parse_name(name, sha256_of(path))
    except OSError as error:
        _cannot_be_read(error)
    return recording if name == source else replace(recording, source=source)


def write(path: Path, recordings: Iterable[Recording]) -> None:
    """Write a manifest as CSV with a header line; it has the column `source` if a recording has one."""
    rows = list(recordings)
    columns = _ALL_COLUMNS if any(row.source for row in rows) else _COLUMNS
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(astuple(row)[: len(columns)] for row in rows)
    atomic.write_text(path, text.getvalue())


def read(path: Path) -> list[Recording]:
    """Read a manifest; raises ManifestError if a row contradicts its file name or is repeated."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            recordings = _recordings(csv.reader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ManifestError(f"{path} cannot be read: {error}") from error
    except ManifestError as error:
        raise ManifestError(f"{path} is not a manifest: {error}") from error
    if len({recording.file for recording in recordings}) != len(recordings):
        raise ManifestError(f"{path} names a file twice")
    return recordings


def verify(folder: Path, recordings: Sequence[Recording], source: str) -> None:
    """Check that `folder` has exactly these recordings, to the byte.

    Raises:
        ManifestError: lists the missing, unexpected and altered files.
    """
    expected = {recording.file: recording.sha256 for recording in recordings}
    present = {path.name for path in folder.iterdir()}
    problems = {
        "missing": sorted(expected.keys() - present),
        "unexpected": sorted(present - expected.keys()),
        "altered": [name for name in sorted(present & expected.keys()) if sha256_of(folder / name) != expected[name]],
    }
    if any(problems.values()):
        lines = [f"  {len(names)} {kind}: {', '.join(names)}" for kind, names in problems.items() if names]
        raise ManifestError("\n".join([f"{source} differs from the manifest:", *lines]))


def _recordings(rows: Iterator[list[str]]) -> list[Recording]:
    columns = next(rows, None)
    if columns not in (_COLUMNS, _ALL_COLUMNS):
        raise ManifestError(f"its columns are not {','.join(_COLUMNS)}, with or without source")
    return [_recording(row, len(columns)) for row in rows if row]


def _recording(row: list[str], columns: int) -> Recording:
    sha256, source = [*row, "", ""][len(_COLUMNS) - 1 : len(_ALL_COLUMNS)]
    recording = replace(parse_name(row[0], sha256), source=source)
    if not _SHA256.fullmatch(sha256):
        raise ManifestError(f"the row of {recording.file} has no SHA-256")
    if [str(value) for value in astuple(recording)][:columns] != row:
        raise ManifestError(f"the row of {recording.file} contradicts its name")
    if PurePosixPath(source).is_absolute() or ".." in PurePosixPath(source).parts:
        raise ManifestError(f"the source {source!r} of {recording.file} leads out of its folder")
    return recording

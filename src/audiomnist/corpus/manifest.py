"""The manifest: a CSV with one row per recording and the SHA-256 of its file."""

import csv
import io
import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass, fields, replace
from pathlib import Path, PurePosixPath
from typing import NamedTuple, NoReturn

from audiomnist.core import atomic
from audiomnist.core.errors import AudiomnistError
from audiomnist.core.hashing import sha256_of
from audiomnist.core.text import listed
from audiomnist.corpus import layouts
from audiomnist.corpus.layouts import LAYOUTS, Labels

_NAME = re.compile(rf"(?P<digit>[0-9])_(?P<speaker>{layouts.SPEAKER})_(?P<take>[0-9]+)\.wav")
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


class Described(NamedTuple):
    """The recordings of a folder, ordered by name.

    Attributes:
        recordings: of digits.
        left_out: number of WAV files by word, for words that are no digits.
        renumbered: number of recordings whose path states another take.
    """

    recordings: list[Recording]
    left_out: dict[str, int]
    renumbered: int


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


def describe_folder(folder: Path, layout: str | None = None) -> Described:
    """Find the recordings of digits below `folder`.

    Files whose paths state the same digit, speaker and take, or no take, are numbered in the order of their paths.

    Args:
        folder: hidden files and folders are passed over.
        layout: of the paths, see `audiomnist.corpus.layouts`; by default one of `LAYOUTS`.

    Raises:
        ManifestError: a path does not have the layout, there is no recording of a digit, or one cannot be read.
        LayoutError: the layout is malformed.
    """
    stated = {file: _labels(file, layout) for file in _wav_files(folder)}
    if unknown := [file for file, found in stated.items() if found is None]:
        forms, remedy = " or ".join(LAYOUTS), "Name their layout with --pattern"
        if layout is not None:
            forms, remedy = layout, "A pattern is the end of each path below the folder"
        raise ManifestError(f"in {folder}, WAV files are not named {forms}: {listed(unknown)}. {remedy}")
    found = {file: labels for file, labels in stated.items() if labels is not None}
    spoken = {file: labels for file, labels in found.items() if labels.digit is not None}
    left_out = Counter(labels.word for file, labels in found.items() if file not in spoken)
    if not spoken:
        others = f", but of other words: {listed(sorted(left_out))}" if left_out else ""
        raise ManifestError(
            f"{folder} holds no *.wav of a digit{others}. Other formats are not read: convert them to WAV"
        )
    names = _corpus_names(spoken)
    recordings = sorted(_recording_of(folder, file, name) for file, name in names.items())
    renumbered = sum(
        labels.take is not None and not names[file].endswith(f"_{labels.take}.wav") for file, labels in spoken.items()
    )
    return Described(recordings, dict(sorted(left_out.items())), renumbered)


def _wav_files(folder: Path) -> list[str]:
    """Return the path of each WAV file below `folder` that is not hidden, with `/`, in their order."""
    found = []
    for top, folders, names in os.walk(folder, onerror=_cannot_be_read):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for path in (Path(top, name) for name in folders):
            if path.is_symlink():
                raise ManifestError(f"{path} is a link to a folder, which is not followed: put the folder itself there")
        paths = [Path(top, name) for name in names if not name.startswith(".")]
        found += [_regular(path) for path in paths if path.suffix.lower() == ".wav"]
    return [path.as_posix() for path in sorted(path.relative_to(folder) for path in found)]


def _regular(path: Path) -> Path:
    """Return the path; raise ManifestError if it is that of a device or pipe, or cannot be written into a manifest."""
    if path.exists() and not path.is_file():
        raise ManifestError(f"{path} is not a regular file")
    if not str(path).isprintable():
        raise ManifestError(f"{str(path)!a} has characters in its name that cannot be printed: rename it")
    return path


def _cannot_be_read(error: OSError) -> NoReturn:
    raise ManifestError(f"{error.filename} cannot be read: {error.strerror}") from error


def _labels(file: str, layout: str | None) -> Labels | None:
    if _NOISE_OF_SPEECH_COMMANDS in PurePosixPath(file).parts:
        return Labels(_NOISE_OF_SPEECH_COMMANDS, "", None)
    return layouts.labels(file, LAYOUTS if layout is None else (layout,))


def _corpus_names(spoken: dict[str, Labels]) -> dict[str, str]:
    """Return the name of each file in the corpus; takes are kept where each is stated and none is repeated."""
    takes: dict[tuple[int | None, str], dict[str, int | None]] = defaultdict(dict)
    for file, labels in spoken.items():
        takes[labels.digit, labels.speaker][file] = labels.take
    return {
        file: f"{digit}_{speaker}_{take}.wav"
        for (digit, speaker), stated in takes.items()
        for file, take in zip(stated, _distinct_takes(list(stated.values())), strict=True)
    }


def _distinct_takes(takes: Sequence[int | None]) -> Sequence[int | None]:
    return range(len(takes)) if None in takes or len(set(takes)) < len(takes) else takes


def _recording_of(folder: Path, source: str, name: str) -> Recording:
    try:
        recording = parse_name(name, sha256_of(folder / source))
    except OSError as error:
        _cannot_be_read(error)
    return recording if name == source else replace(recording, source=source)


def write(path: Path, recordings: Iterable[Recording]) -> None:
    """Write a manifest as CSV with a header line; it has the column `source` if a recording has one.

    Raises:
        ManifestError: the file cannot be written.
    """
    rows = list(recordings)
    columns = _ALL_COLUMNS if any(row.source for row in rows) else _COLUMNS
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(astuple(row)[: len(columns)] for row in rows)
    try:
        atomic.write_text(path, text.getvalue())
    except OSError as error:
        raise ManifestError(f"{path} cannot be written: {error.strerror}") from error


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
        ManifestError: names missing, unexpected and altered files, ten of each.
    """
    expected = {recording.file: recording.sha256 for recording in recordings}
    sources = {recording.file: shown(recording) for recording in recordings}
    present = {path.name for path in folder.iterdir()}
    problems = {
        "missing": sorted(expected.keys() - present),
        "unexpected": sorted(present - expected.keys()),
        "altered": [name for name in sorted(present & expected.keys()) if sha256_of(folder / name) != expected[name]],
    }
    if any(problems.values()):
        lines = [
            f"  {len(names)} {kind}: {listed([sources.get(name, name) for name in names])}"
            for kind, names in problems.items()
            if names
        ]
        raise ManifestError("\n".join([f"{source} differs from the manifest:", *lines]))


def shown(recording: Recording) -> str:
    """Return the name of a recording for messages: the file that its user has, and its name in the corpus."""
    return f"{recording.source} ({recording.file})" if recording.source else recording.file


def _recordings(rows: Iterator[list[str]]) -> list[Recording]:
    columns = next(rows, None)
    if columns not in (_COLUMNS, _ALL_COLUMNS):
        raise ManifestError(f"its columns are not {','.join(_COLUMNS)}, with or without source")
    return [_recording(row, len(columns)) for row in rows if row]


def _recording(row: list[str], columns: int) -> Recording:
    if len(row) != columns:
        raise ManifestError(f"the row of {row[0]} has {len(row)} columns, not {columns}")
    sha256, source = [*row, ""][len(_COLUMNS) - 1 : len(_ALL_COLUMNS)]
    recording = replace(parse_name(row[0], sha256), source=source)
    if not _SHA256.fullmatch(sha256):
        raise ManifestError(f"the row of {recording.file} has no SHA-256")
    if [str(value) for value in astuple(recording)][:columns] != row:
        raise ManifestError(f"the row of {recording.file} contradicts its name")
    if PurePosixPath(source).is_absolute() or ".." in PurePosixPath(source).parts:
        raise ManifestError(f"the source {source!r} of {recording.file} leads out of its folder")
    return recording

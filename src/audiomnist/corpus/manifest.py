"""The manifest: a CSV with one row per recording and the SHA-256 of its file."""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from audiomnist.core import atomic
from audiomnist.core.errors import AudiomnistError
from audiomnist.core.hashing import sha256_of

_NAME = re.compile(r"(?P<digit>[0-9])_(?P<speaker>[a-z]+)_(?P<take>[0-9]+)\.wav")
_SHA256 = re.compile(r"[0-9a-f]{64}")


class ManifestError(AudiomnistError):
    """A manifest is malformed, or a folder of recordings differs from it."""


@dataclass(frozen=True, order=True)
class Recording:
    """One spoken digit; `file` is `{digit}_{speaker}_{take}.wav`, and `sha256` that of its content."""

    file: str
    digit: int
    speaker: str
    take: int
    sha256: str


_COLUMNS = [field.name for field in fields(Recording)]


def parse_name(file: str, sha256: str) -> Recording:
    """Parse a file name.

    >>> parse_name("7_theo_12.wav", "").take
    12
    """
    match = _NAME.fullmatch(file)
    if match is None:
        raise ManifestError(f"{file!r} is not named {{digit}}_{{speaker}}_{{take}}.wav")
    return Recording(file, int(match["digit"]), match["speaker"], int(match["take"]), sha256)


def describe_folder(folder: Path) -> list[Recording]:
    """Return a recording for each `*.wav` in `folder`, ordered by name; raises ManifestError if there is none."""
    recordings = sorted(parse_name(path.name, sha256_of(path)) for path in folder.glob("*.wav"))
    if not recordings:
        raise ManifestError(f"{folder} holds no *.wav")
    return recordings


def write(path: Path, recordings: Iterable[Recording]) -> None:
    """Write a manifest as CSV with a header line."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    writer.writerows(map(astuple, recordings))
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
    if next(rows, None) != _COLUMNS:
        raise ManifestError(f"its columns are not {','.join(_COLUMNS)}")
    return [_recording(row) for row in rows if row]


def _recording(row: list[str]) -> Recording:
    recording = parse_name(row[0], row[-1])
    if not _SHA256.fullmatch(recording.sha256):
        raise ManifestError(f"the row of {recording.file} has no SHA-256")
    if [str(value) for value in astuple(recording)] != row:
        raise ManifestError(f"the row of {recording.file} contradicts its name")
    return recording

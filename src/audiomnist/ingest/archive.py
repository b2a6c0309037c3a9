"""Extraction of recordings from an untrusted archive.

Only regular members named `*.wav` are extracted, each into the target folder under the last part of its name. Links,
devices, absolute names and names with `..` are errors, and sizes and counts are limited.
"""

import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple, cast

from audiomnist.core.errors import AudiomnistError

MAX_MEMBERS = 200_000
MAX_FILE_BYTES = 16 * 2**20
MAX_TOTAL_BYTES = 4 * 2**30

# zipfile raises RuntimeError for encryption and for unknown compression.
_DAMAGE = (OSError, EOFError, tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, RuntimeError)


class ArchiveError(AudiomnistError):
    """An archive cannot be read, or has members that a corpus cannot have."""


class _Member(NamedTuple):
    name: str
    size: int
    is_regular: bool
    open: Callable[[], IO[bytes] | None]  # None only for what is not regular


def is_archive(path: Path) -> bool:
    """Return whether the name has the suffix of a supported archive."""
    return path.name.endswith((".tar.gz", ".tgz", ".zip"))


def extract_recordings(archive: Path, folder: Path) -> None:
    """Write each `*.wav` member of a .tar.gz or .zip into `folder`.

    Raises:
        ArchiveError: the archive is damaged, unsafe, or above the limits of this module.
    """
    members = _zip_members if archive.suffix == ".zip" else _tar_members
    remaining = MAX_TOTAL_BYTES
    try:
        for count, member in enumerate(members(archive)):
            if count >= MAX_MEMBERS:
                raise ArchiveError(f"{archive} has more than {MAX_MEMBERS} members")
            path = PurePosixPath(member.name)
            if member.name.endswith(".wav") and not path.name.startswith("._"):  # macOS adds a `._*` to each file
                remaining -= member.size
                _check(archive, member, path, remaining)
                _write(folder / path.name, member)
    except _DAMAGE as error:
        raise ArchiveError(f"{archive} cannot be unpacked: {error}") from error


def _tar_members(archive: Path) -> Iterator[_Member]:
    with tarfile.open(archive, "r:gz") as tar:
        for member in tar:
            yield _Member(member.name, member.size, member.isfile(), partial(tar.extractfile, member))


def _zip_members(archive: Path) -> Iterator[_Member]:
    with zipfile.ZipFile(archive) as zipped:
        for member in zipped.infolist():
            mode = member.external_attr >> 16
            is_regular = not member.is_dir() and (mode == 0 or (mode & 0o170000) in {0, 0o100000})
            yield _Member(member.filename, member.file_size, is_regular, partial(zipped.open, member))


def _check(archive: Path, member: _Member, path: PurePosixPath, remaining: int) -> None:
    if not member.is_regular:
        raise ArchiveError(f"{archive}: member {member.name!r} is not a regular file")
    if member.size > MAX_FILE_BYTES:
        raise ArchiveError(f"{archive}: member {member.name!r} is larger than {MAX_FILE_BYTES} bytes")
    if remaining < 0:
        raise ArchiveError(f"{archive} unpacks to more than {MAX_TOTAL_BYTES} bytes")
    if path.is_absolute() or ".." in path.parts or "\\" in member.name or "\0" in member.name:
        raise ArchiveError(f"{archive}: member {member.name!r} points out of the archive")


def _write(target: Path, member: _Member) -> None:
    content = cast("IO[bytes]", member.open()).read(member.size + 1)  # bounded: a header may understate the size
    try:
        with target.open("xb") as file:
            file.write(content)
    except FileExistsError as error:
        raise ArchiveError(f"{target.name} is twice in the archive") from error

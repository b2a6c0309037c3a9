"""Extraction of recordings from an untrusted archive.

Only regular members named `*.wav` are extracted, each into the target folder under the last part of its name. Links,
devices, absolute names and names with `..` are errors, and sizes and counts are limited.
"""

import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from audiomnist.core.errors import AudiomnistError

MAX_MEMBERS = 200_000
MAX_FILE_BYTES = 16 * 2**20
MAX_TOTAL_BYTES = 4 * 2**30

# zipfile raises RuntimeError for encryption and for unknown compression.
_DAMAGE = (OSError, EOFError, tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, RuntimeError)


class ArchiveError(AudiomnistError):
    """An archive cannot be read, or has members that a corpus cannot have."""


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
        for name, size, content in members(archive):
            remaining -= size
            if remaining < 0:
                raise ArchiveError(f"{archive} unpacks to more than {MAX_TOTAL_BYTES} bytes")
            _write(folder / _safe_name(archive, name), content, size)
    except _DAMAGE as error:
        raise ArchiveError(f"{archive} cannot be unpacked: {error}") from error


def _tar_members(archive: Path) -> Iterator[tuple[str, int, IO[bytes]]]:
    with tarfile.open(archive, "r:gz") as tar:
        for count, member in enumerate(tar):
            _check(archive, member.name, member.size, count, regular=member.isfile())
            content = tar.extractfile(member) if _is_recording(member.name) else None
            if content is not None:
                yield member.name, member.size, content


def _zip_members(archive: Path) -> Iterator[tuple[str, int, IO[bytes]]]:
    with zipfile.ZipFile(archive) as zipped:
        for count, member in enumerate(zipped.infolist()):
            mode = member.external_attr >> 16
            regular = not member.is_dir() and (mode == 0 or (mode & 0o170000) in {0, 0o100000})
            _check(archive, member.filename, member.file_size, count, regular=regular)
            if _is_recording(member.filename):
                with zipped.open(member) as content:
                    yield member.filename, member.file_size, content


def _check(archive: Path, name: str, size: int, count: int, *, regular: bool) -> None:
    if count >= MAX_MEMBERS:
        raise ArchiveError(f"{archive} has more than {MAX_MEMBERS} members")
    if not _is_recording(name):
        return
    if not regular:
        raise ArchiveError(f"{archive}: member {name!r} is not a regular file")
    if size > MAX_FILE_BYTES:
        raise ArchiveError(f"{archive}: member {name!r} is larger than {MAX_FILE_BYTES} bytes")


def _is_recording(name: str) -> bool:
    """Return whether a member is a recording; macOS adds a `._*` to each file."""
    return name.endswith(".wav") and not PurePosixPath(name).name.startswith("._")


def _safe_name(archive: Path, name: str) -> str:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name:
        raise ArchiveError(f"{archive}: member {name!r} points out of the archive")
    return path.name


def _write(target: Path, content: IO[bytes], size: int) -> None:
    data = content.read(size + 1)
    if len(data) > size:
        raise ArchiveError(f"member {target.name} has more bytes than its header in the archive")
    try:
        with target.open("xb") as file:
            file.write(data)
    except FileExistsError as error:
        raise ArchiveError(f"{target.name} is twice in the archive") from error

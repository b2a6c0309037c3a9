"""Files of the inbox: finding them, and reading one.

`discover` yields every entry below a folder: a candidate, to be read; deferred, because a later run may be able to
read it; unusable, because it is not a regular file; excluded by the selection. A folder that is excluded or cannot be
listed is one entry, and so is a hidden folder (its name starts with a dot), where programs keep unfinished files. Links
are not followed; only the inbox itself may be one. (A folder that is replaced by a link after it was listed is
followed, but only to files of the same name, size and modification time.)
"""

# ruff: noqa: PTH118, PTH208 - names are bytes here, which pathlib does not support
import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from audiomnist.core.errors import AudiomnistError
from audiomnist.scoring.inbox import paths
from audiomnist.scoring.inbox.selection import Selection

_UNFINISHED = (b".part", b".partial", b".tmp", b".crdownload", b".filepart", b"~")
_OPEN = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY | os.O_NOFOLLOW
CHANGING = ("changing", "is not as it was found: it may still be written to")
NO_PERMISSION = ("no_permission", "may not be read by this user: give the permission")
VANISHED = ("vanished", "is no longer there")
_DEFERRED = {
    **dict.fromkeys((errno.ENOENT, errno.ENOTDIR), VANISHED),
    **dict.fromkeys((errno.EACCES, errno.EPERM), NO_PERMISSION),
    errno.ELOOP: CHANGING,
}


class InboxError(AudiomnistError):
    """The inbox is not a folder, or cannot be listed."""


class Candidate(NamedTuple):
    """A regular file, with its size and modification time when it was found.

    `path` is relative to the inbox, `modified_ns` is in ns since 1970 UTC, clipped to 64 bits (1677 to 2262). `etag` is
    that of an object store, another one after each change of the content; a file of a folder has none.
    """

    path: bytes
    size_bytes: int
    modified_ns: int
    etag: str | None = None


class Deferred(NamedTuple):
    """An entry that a later run may be able to read.

    `reason` is unfinished_name, changing, vanished, no_permission, io_error or, in an object store, unusable_key;
    `detail` explains it without the path.
    """

    path: bytes
    reason: str
    detail: str


class Unusable(NamedTuple):
    """An entry that is not read; size and time of a link are those of the link itself.

    `reason` is link, not_regular_file or too_large; `detail` explains it without the path.
    """

    path: bytes
    size_bytes: int
    modified_ns: int
    reason: str
    detail: str


class Excluded(NamedTuple):
    """An entry that the selection leaves out."""

    path: bytes


Entry = Candidate | Deferred | Unusable | Excluded


def check_listable(inbox: Path) -> None:
    """Raise InboxError unless an inbox is a folder that can be listed."""
    with _listing(inbox):
        os.scandir(inbox).close()


def discover(inbox: Path, selection: Selection | None = None) -> Iterator[Entry]:
    """Yield every entry below a folder once, depth first, the names of a folder in the order of their bytes.

    Every regular file of the selection, by default one without patterns, is a candidate, whatever its suffix, unless
    its name is that of an unfinished file: it starts with a dot, or ends in .part, .partial, .tmp, .crdownload,
    .filepart or ~. Only the names in the folders between the inbox and the entry are in memory, some 70 bytes each.

    Raises:
        InboxError: the inbox is not a folder or cannot be listed; raised by the call, before the first entry.
    """
    base = os.path.join(os.fsencode(inbox), b"")
    with _listing(inbox):
        return _walk(base, _names(base), selection or Selection())


def read(inbox: Path, file: Candidate | Unusable, max_bytes: int) -> bytes | Deferred | Unusable:
    """Return the whole content of a file that has not changed since it was found, or why it was not read.

    A change is detected by size or modification time; a change of the same size within a tick of the file system's
    clock, a few milliseconds, is not. The call does not block on a pipe or a device that has replaced the file.
    """
    if isinstance(file, Unusable):
        return file
    try:
        descriptor = os.open(os.path.join(os.fsencode(inbox), file.path), _OPEN)
        try:
            return _content(descriptor, file, max_bytes)
        finally:
            os.close(descriptor)
    except OSError as error:
        return _deferred(file.path, error)


@contextmanager
def _listing(inbox: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = f"is no folder that can be listed ({error.strerror}): name one that this user may read"
        raise InboxError(f"{paths.shown(paths.text(os.fsencode(inbox)))} {reason}") from error


def _names(folder: bytes) -> list[bytes]:
    """Return the names in a folder in reverse order."""
    return sorted({*os.listdir(folder)}, reverse=True)  # some file systems list one twice that is renamed


def _walk(base: bytes, top: list[bytes], selection: Selection) -> Iterator[Entry]:
    folders = [(b"", top)]
    while folders:
        folder, names = folders[-1]
        if not names:
            folders.pop()
            continue
        path = folder + names.pop()
        try:
            entry = _entry(path, os.lstat(base + path), selection)
            if entry is None:
                folders.append((path + b"/", _names(base + path)))
        except OSError as error:
            entry = _deferred(path, error)
        if entry:
            yield entry


def _entry(path: bytes, status: os.stat_result, selection: Selection) -> Entry | None:
    """Return the entry of a path; None for a folder to list."""
    mode = status.st_mode
    if left_out := left_out_by_name(path, selection, is_folder=stat.S_ISDIR(mode)):
        return left_out
    if stat.S_ISDIR(mode):
        return None
    file = Candidate(path, status.st_size, _modified_ns(status))
    if stat.S_ISREG(mode):
        return file
    if stat.S_ISLNK(mode):
        return Unusable(*file[:3], "link", "is a symbolic link, which is not followed: put the file itself there")
    return Unusable(*file[:3], "not_regular_file", "is no file but a pipe, a socket or a device")


def left_out_by_name(path: bytes, selection: Selection, *, is_folder: bool) -> Excluded | Deferred | None:
    """Return the entry of a path that is excluded, or has the name of a hidden folder or of an unfinished file."""
    name = path.rpartition(b"/")[2]
    if selection.excludes(path, is_folder=is_folder):
        return Excluded(path)
    if is_folder:
        hidden = "is a hidden folder and not entered: rename it if it holds recordings"
        return Deferred(path, "unfinished_name", hidden) if name.startswith(b".") else None
    if name.startswith(b".") or name.lower().endswith(_UNFINISHED):
        return Deferred(path, "unfinished_name", "has the name of an unfinished file: rename it when it is whole")
    return None


def too_large(file: Candidate, max_bytes: int) -> Unusable:
    """Return the entry of a file that has more bytes than are read."""
    detail = f"holds {file.size_bytes} bytes, more than the {max_bytes} that are read"
    return Unusable(*file[:3], "too_large", detail)


def _deferred(path: bytes, error: OSError) -> Deferred:
    return Deferred(path, *_DEFERRED.get(error.errno or 0, ("io_error", f"cannot be read: {error.strerror}")))


def _content(descriptor: int, file: Candidate, max_bytes: int) -> bytes | Deferred | Unusable:
    if not _is_unchanged(descriptor, file):
        return Deferred(file.path, *CHANGING)
    if file.size_bytes > max_bytes:
        return too_large(file, max_bytes)
    content = _bytes(descriptor, file.size_bytes)
    unchanged = len(content) == file.size_bytes and _is_unchanged(descriptor, file)
    return content if unchanged else Deferred(file.path, *CHANGING)


def _is_unchanged(descriptor: int, file: Candidate) -> bool:
    status = os.fstat(descriptor)
    return stat.S_ISREG(status.st_mode) and (status.st_size, _modified_ns(status)) == file[1:3]


def _modified_ns(status: os.stat_result) -> int:
    return min(max(status.st_mtime_ns, -(2**63)), 2**63 - 1)


def _bytes(descriptor: int, size_bytes: int) -> bytes:
    """Return the content of a file, up to one byte more than its expected size, which shows that it has grown."""
    content = os.read(descriptor, size_bytes + 1)
    while len(content) < size_bytes and (more := os.read(descriptor, size_bytes + 1 - len(content))):
        content += more
    return content

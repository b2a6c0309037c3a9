"""The inbox: what lies in it, and the content of one file.

`discover` gives everything below a folder an outcome: a candidate, to be read; deferred, because it may be better
tomorrow; unusable, because it is nothing to be read. Two things are one outcome for all that they hold: a folder that
cannot be listed, and a hidden folder (its name starts with a dot), which is where programs keep what they have not
finished. Links are not followed; only the inbox itself may be one. (A folder that becomes a link after it was listed
is, but only to files of the same name, size and time.)
"""

# ruff: noqa: PTH118, PTH208 - names are bytes here, which pathlib does not take
import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from audiomnist.core.errors import AudiomnistError
from audiomnist.scoring.inbox import paths

_HIDDEN = b"."
_UNFINISHED = (b".part", b".partial", b".tmp", b".crdownload", b".filepart", b"~")
_OPEN = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY | os.O_NOFOLLOW
_VANISHED = ("vanished", "is no longer there")
_CHANGING = ("changing", "is not as it was found: it may still be written to")
_NO_PERMISSION = ("no_permission", "may not be read by this user: give the permission")
_DEFERRING = {
    **dict.fromkeys((errno.ENOENT, errno.ENOTDIR), _VANISHED),
    **dict.fromkeys((errno.EACCES, errno.EPERM), _NO_PERMISSION),
    errno.ELOOP: _CHANGING,
}


class InboxError(AudiomnistError):
    """The inbox is no folder, or cannot be listed."""


class Candidate(NamedTuple):
    """A regular file, as it was when it was found.

    `path` is relative to the inbox, `modified_ns` counts from 1970 UTC. In place of a time that 64 bits do not hold,
    before 1677 or after 2262, stands the first or the last that they do.
    """

    path: bytes
    size_bytes: int
    modified_ns: int


@dataclass(frozen=True, slots=True)
class Deferred:
    """What may be better tomorrow.

    `reason` is unfinished_name, changing, vanished, no_permission or io_error; `sentence` says it without the path.
    """

    path: bytes
    reason: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Unusable:
    """What is there, and is not read; size and time are its own, those of a link too.

    `reason` is link, not_a_file or too_large; `sentence` says it without the path.
    """

    path: bytes
    size_bytes: int
    modified_ns: int
    reason: str
    sentence: str


Found = Candidate | Deferred | Unusable


class NotReadError(AudiomnistError):
    """A file has no content to give; `outcome` says whether it is deferred or unusable, and why."""

    def __init__(self, outcome: Deferred | Unusable) -> None:
        super().__init__(outcome)
        self.outcome = outcome

    def __str__(self) -> str:
        return f"{paths.shown(paths.text(self.outcome.path))}: {self.outcome.sentence}"


def check_listable(inbox: Path) -> None:
    """Raise InboxError unless an inbox is a folder that can be listed."""
    with _listing(inbox):
        os.scandir(inbox).close()


def discover(inbox: Path) -> Iterator[Found]:
    """Find everything below a folder, each entry once, depth first, the names of a folder in the order of their bytes.

    Every regular file is a candidate, whatever its suffix, unless its name says that it is unfinished: it starts
    with a dot, or ends in .part, .partial, .tmp, .crdownload, .filepart or ~. What is held in memory is the names
    in the folders between the inbox and the entry, some 70 bytes each.

    Raises:
        InboxError: the inbox is no folder or cannot be listed; raised by the call, before the first entry.
    """
    base = os.path.join(os.fsencode(inbox), b"")
    with _listing(inbox):
        return _walk(base, _names(base))


def read(inbox: Path, found: Candidate | Unusable, max_bytes: int) -> bytes:
    """Return the whole content of a file, which is the one that was found and does not change meanwhile.

    A change shows in the size or the modification time; so one that keeps the size goes unseen within a tick of
    the file system's clock, a few milliseconds. A pipe or a device that has taken the file's place is not waited for.

    Raises:
        NotReadError: deferred (changing, vanished, no_permission, io_error), too_large, or found unusable.
    """
    if isinstance(found, Unusable):
        raise NotReadError(found)
    try:
        descriptor = os.open(os.path.join(os.fsencode(inbox), found.path), _OPEN)
        try:
            return _content(descriptor, found, max_bytes)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise NotReadError(_deferred(found.path, error)) from error


@contextmanager
def _listing(inbox: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        shown = paths.shown(paths.text(os.fsencode(inbox)))
        why = f"is no folder that can be listed ({error.strerror}): name one that this user may read"
        raise InboxError(f"{shown} {why}") from error


def _names(folder: bytes) -> list[bytes]:
    """Return the names in a folder, the first one last."""
    return sorted({*os.listdir(folder)}, reverse=True)  # some file systems list one twice that is renamed


def _walk(base: bytes, top: list[bytes]) -> Iterator[Found]:
    folders = [(b"", top)]
    while folders:
        folder, to_come = folders[-1]
        if not to_come:
            folders.pop()
            continue
        path = folder + to_come.pop()
        try:
            found = _found(path, os.lstat(base + path))
            if found is None:
                folders.append((path + b"/", _names(base + path)))
        except OSError as error:
            found = _deferred(path, error)
        if found:
            yield found


def _found(path: bytes, status: os.stat_result) -> Found | None:
    """Return what an entry is; None for a folder that is to be listed."""
    name, mode = path.rpartition(b"/")[2], status.st_mode
    if stat.S_ISDIR(mode):
        hidden = "is a hidden folder and not entered: rename it if it holds recordings"
        return Deferred(path, "unfinished_name", hidden) if name.startswith(_HIDDEN) else None
    if name.startswith(_HIDDEN) or name.lower().endswith(_UNFINISHED):
        return Deferred(path, "unfinished_name", "has the name of an unfinished file: rename it when it is whole")
    file = Candidate(path, status.st_size, _modified_ns(status))
    if stat.S_ISREG(mode):
        return file
    if stat.S_ISLNK(mode):
        return Unusable(*file, "link", "is a symbolic link, which is not followed: put the file itself there")
    return Unusable(*file, "not_a_file", "is no file but a pipe, a socket or a device")


def _deferred(path: bytes, error: OSError) -> Deferred:
    return Deferred(path, *_DEFERRING.get(error.errno or 0, ("io_error", f"cannot be read: {error.strerror}")))


def _content(descriptor: int, file: Candidate, max_bytes: int) -> bytes:
    if not _is_unchanged(descriptor, file):
        raise NotReadError(Deferred(file.path, *_CHANGING))
    if file.size_bytes > max_bytes:
        sentence = f"holds {file.size_bytes} bytes, more than the {max_bytes} that are read"
        raise NotReadError(Unusable(*file, "too_large", sentence))
    content = _bytes(descriptor, file.size_bytes)
    if len(content) != file.size_bytes or not _is_unchanged(descriptor, file):
        raise NotReadError(Deferred(file.path, *_CHANGING))
    return content


def _is_unchanged(descriptor: int, file: Candidate) -> bool:
    status = os.fstat(descriptor)
    return stat.S_ISREG(status.st_mode) and (status.st_size, _modified_ns(status)) == file[1:]


def _modified_ns(status: os.stat_result) -> int:
    return min(max(status.st_mtime_ns, -(2**63)), 2**63 - 1)


def _bytes(descriptor: int, wanted: int) -> bytes:
    """Return what a file holds, up to one byte more than is wanted, which shows that it has grown."""
    content = os.read(descriptor, wanted + 1)
    while len(content) < wanted and (part := os.read(descriptor, wanted + 1 - len(content))):
        content += part
    return content

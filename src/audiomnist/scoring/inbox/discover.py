"""The inbox: what lies in it, and the content of one file.

`discover` gives everything below a folder an outcome: a candidate, to be read; deferred, because it may
be better tomorrow; unusable, because it is nothing to be read. Two things are one outcome for all
that they hold: a folder that cannot be listed, and a hidden folder (its name starts with a dot), which is
where programs keep what they have not finished.

Nothing outside the inbox is read, whatever links stand in it and whoever exchanges them meanwhile: a `Reader`
opens each folder on the way, and the file, without following a link; a link to a file is resolved first,
and the real path opened in the same way.
"""

# ruff: noqa: PTH116, PTH118, PTH119, PTH208 - names are bytes here, which pathlib does not take
import errno
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Self

from audiomnist.core.errors import AudiomnistError
from audiomnist.scoring.inbox import paths as names

_HIDDEN = b"."
_UNFINISHED = (b".part", b".partial", b".tmp", b".crdownload", b".filepart", b"~")
_OPEN_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_OPEN_FILE = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY | os.O_NOFOLLOW
# Of so many files one is asked whether it is in memory.
_PROBED = 64
_VANISHED = ("vanished", "is no longer there")
_NO_PERMISSION = ("no_permission", "may not be read by this user: give the permission")
_DEFERRING = {
    errno.ENOENT: _VANISHED,
    errno.ENOTDIR: _VANISHED,
    errno.EACCES: _NO_PERMISSION,
    errno.EPERM: _NO_PERMISSION,
    errno.ENAMETOOLONG: ("io_error", "lies so deep that its path is too long for the system: move it further up"),
}


class InboxError(AudiomnistError):
    """The inbox is no folder, or cannot be listed."""


class Candidate(NamedTuple):
    """A regular file, or a link to one, as it was when it was found.

    `path` is relative to the inbox, `modified_ns` counts from 1970 UTC; size and time of a link are its target's. In
    place of a time that 64 bits do not hold, before 1677 or after 2262, stands the first or the last that they do.
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
    """What is there, and is not read.

    Size and time are those of what stands under the path (a link's own; its target's if that is too large).
    `reason` is link_loop, link_outside, not_a_file or too_large; `sentence` says it without the path.
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
        return f"{names.shown(names.text(self.outcome.path))}: {self.outcome.sentence}"


@dataclass(frozen=True, slots=True)
class _Folder:
    """A folder that is being walked: its path up to the slash, and the names to come, the next one last."""

    path: bytes
    identity: tuple[int, int]
    names: list[bytes]


def check_listable(inbox: Path) -> None:
    """Raise InboxError unless an inbox is a folder that can be listed."""
    try:
        os.scandir(_base(inbox)).close()
    except OSError as error:
        raise _not_listed(inbox, error) from error


def discover(inbox: Path) -> Iterator[Found]:
    """Find everything below a folder, each entry once, depth first, the names of a folder in the order of their bytes.

    Every regular file is a candidate, whatever its suffix, unless its name says that it is unfinished: it starts
    with a dot, or ends in .part, .partial, .tmp, .crdownload, .filepart or ~. What is held in memory is the names
    in the folders between the inbox and the entry, some 70 bytes each.

    Raises:
        InboxError: the inbox is no folder or cannot be listed; raised by the call, before the first entry.
    """
    base = _base(inbox)
    try:
        top = _listed(base, b"", os.stat(base))
    except OSError as error:
        raise _not_listed(inbox, error) from error
    return _walk(base, top)


class Reader:
    """Reads files of one inbox, the folder of the last one at hand for the next; belongs to one thread.

    That folder stays the one that it was when it was opened, whatever is put in its place meanwhile.
    """

    def __init__(self, inbox: Path, max_bytes: int) -> None:
        """Take the folder that candidates were found in, and the size beyond which files are not read."""
        self._inbox, self._max_bytes = inbox, max_bytes
        self._folder: tuple[bytes, int] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._leave()

    def read(self, candidate: Candidate) -> bytes:
        """Return the whole content of a file, which is the one that was found and does not change meanwhile.

        A change shows in the size or the modification time; so one that keeps the size goes unseen within a tick of
        the file system's clock, a few milliseconds.

        Raises:
            NotReadError: deferred (changing, vanished, no_permission, io_error) or unusable (too_large; or a link
                that by now leads elsewhere: link_outside, link_loop, not_a_file).
        """
        try:
            descriptor = self._open(candidate.path)
            try:
                return _content(descriptor, candidate, self._max_bytes)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise NotReadError(_deferred(candidate.path, error)) from error

    def fetch(self, candidates: Sequence[Candidate]) -> None:
        """Have the system read files from the disk, all at once, if some of them are not in its memory yet.

        Read one after the other they would be waited for one after the other. What is wrong with a file shows when it
        is read.
        """
        if any(self._asked(candidate, _is_on_disk) for candidate in candidates[::_PROBED]):
            for candidate in candidates:
                self._asked(candidate, _want)

    def _asked(self, candidate: Candidate, ask: Callable[[int], bool]) -> bool:
        """Return what is to be said of an open file; False if it cannot be opened, or has no answer."""
        try:
            descriptor = self._open(candidate.path)
        except (OSError, NotReadError):
            return False
        try:
            return ask(descriptor)
        except OSError:
            return False
        finally:
            os.close(descriptor)

    def _open(self, path: bytes) -> int:
        try:
            return self._opened_below(path)
        except OSError as error:
            if error.errno != errno.ELOOP:
                raise
        base = _base(self._inbox)
        return self._opened_below(_target(base, path, os.lstat(base + path)))

    def _opened_below(self, path: bytes) -> int:
        """Return the descriptor of a file, reached without following a link below the inbox."""
        folder, _, name = path.rpartition(b"/")
        return os.open(name, _OPEN_FILE, dir_fd=self._entered(folder))

    def _entered(self, folder: bytes) -> int:
        if self._folder is None or self._folder[0] != folder:
            self._leave()
            self._folder = folder, _opened_folder(self._inbox, folder)
        return self._folder[1]

    def _leave(self) -> None:
        if self._folder is not None:
            os.close(self._folder[1])
            self._folder = None


def _is_on_disk(descriptor: int) -> bool:
    """Return whether reading a file would have to wait; on a file system that cannot tell, it does not."""
    try:
        os.preadv(descriptor, [bytearray(1)], 0, os.RWF_NOWAIT)
    except BlockingIOError:
        return True
    return False


def _want(descriptor: int) -> bool:
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_WILLNEED)
    return True


def _not_listed(inbox: Path, error: OSError) -> InboxError:
    shown = names.shown(names.text(os.fsencode(inbox)))
    return InboxError(f"{shown} is no folder that can be listed ({error.strerror}): name one that this user may read")


def _base(inbox: Path) -> bytes:
    """Return the inbox's real path with a slash at its end."""
    return os.path.join(os.path.realpath(os.fsencode(inbox)), b"")


def _listed(base: bytes, path: bytes, status: os.stat_result) -> _Folder:
    entries = sorted({*os.listdir(base + path)}, reverse=True)  # some file systems list one twice that is renamed
    return _Folder(path, (status.st_dev, status.st_ino), entries)


def _walk(base: bytes, top: _Folder) -> Iterator[Found]:
    folders = [top]
    while folders:
        folder = folders[-1]
        if not folder.names:
            folders.pop()
            continue
        found = _found(base, folder.path + folder.names.pop(), folders)
        if isinstance(found, _Folder):
            folders.append(found)
        else:
            yield found


def _found(base: bytes, path: bytes, above: list[_Folder]) -> Found | _Folder:
    try:
        status = os.lstat(base + path)
        if stat.S_ISDIR(status.st_mode):
            return _entered(base, path, status, above)
        return _candidate(base, path, status)
    except OSError as error:
        return _deferred(path, error)
    except NotReadError as error:
        return error.outcome


def _entered(base: bytes, path: bytes, status: os.stat_result, above: list[_Folder]) -> _Folder:
    if os.path.basename(path).startswith(_HIDDEN):
        raise NotReadError(
            Deferred(path, "unfinished_name", "is a hidden folder and not entered: rename it if it holds recordings")
        )
    if any((status.st_dev, status.st_ino) == folder.identity for folder in above):
        raise _unusable(path, status, "link_loop", "is a folder that lies within itself, mounted a second time")
    return _listed(base, path + b"/", status)


def _candidate(base: bytes, path: bytes, status: os.stat_result) -> Candidate:
    name = os.path.basename(path)
    if name.startswith(_HIDDEN) or name.lower().endswith(_UNFINISHED):
        raise NotReadError(
            Deferred(path, "unfinished_name", "has the name of an unfinished file: rename it when it is whole")
        )
    if stat.S_ISLNK(status.st_mode):
        status = os.lstat(base + _target(base, path, status))
    elif not stat.S_ISREG(status.st_mode):
        raise _unusable(path, status, "not_a_file", "is no file but a pipe, a socket or a device")
    return Candidate(path, status.st_size, _modified_ns(status))


def _target(base: bytes, path: bytes, link: os.stat_result) -> bytes:
    """Return the real path, relative to the inbox, of the regular file that a link leads to."""
    try:
        real = os.path.realpath(base + path, strict=True)
        mode = os.lstat(real).st_mode
    except (FileNotFoundError, NotADirectoryError) as error:
        raise NotReadError(Deferred(path, "vanished", "is a link to what is not there")) from error
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise _unusable(path, link, "link_loop", "is a link that leads back to itself") from error
        raise
    if not os.path.join(real, b"").startswith(base):
        raise _unusable(path, link, "link_outside", "is a link that leads out of the inbox: put the file itself there")
    if stat.S_ISDIR(mode):
        sentence = "is a link to a folder of the inbox, whose files are found under their own names"
        raise _unusable(path, link, "not_a_file", sentence)
    if not stat.S_ISREG(mode):
        raise _unusable(path, link, "not_a_file", "is a link to a pipe, a socket or a device")
    return real[len(base) :]


def _unusable(path: bytes, status: os.stat_result, reason: str, sentence: str) -> NotReadError:
    return NotReadError(Unusable(path, status.st_size, _modified_ns(status), reason, sentence))


def _deferred(path: bytes, error: OSError) -> Deferred:
    return Deferred(path, *_DEFERRING.get(error.errno or 0, ("io_error", f"cannot be read: {error.strerror}")))


def _opened_folder(inbox: Path, path: bytes) -> int:
    descriptor = os.open(inbox, _OPEN_FOLDER)
    for name in path.split(b"/") if path else ():
        try:
            inner = os.open(name, _OPEN_FOLDER | os.O_NOFOLLOW, dir_fd=descriptor)
        finally:
            os.close(descriptor)
        descriptor = inner
    return descriptor


def _content(descriptor: int, candidate: Candidate, max_bytes: int) -> bytes:
    if not _is_unchanged(descriptor, candidate):
        raise _changing(candidate)
    size_bytes = candidate.size_bytes
    if size_bytes > max_bytes:
        sentence = f"holds {size_bytes} bytes, more than the {max_bytes} that are read"
        raise NotReadError(Unusable(candidate.path, size_bytes, candidate.modified_ns, "too_large", sentence))
    content = _bytes(descriptor, size_bytes)
    if len(content) != size_bytes or not _is_unchanged(descriptor, candidate):
        raise _changing(candidate)
    return content


def _changing(candidate: Candidate) -> NotReadError:
    return NotReadError(Deferred(candidate.path, "changing", "is not as it was found: it may still be written to"))


def _modified_ns(status: os.stat_result) -> int:
    return min(max(status.st_mtime_ns, -(2**63)), 2**63 - 1)


def _is_unchanged(descriptor: int, candidate: Candidate) -> bool:
    status = os.fstat(descriptor)
    seen = (status.st_size, _modified_ns(status))
    return stat.S_ISREG(status.st_mode) and seen == (candidate.size_bytes, candidate.modified_ns)


def _bytes(descriptor: int, wanted: int) -> bytes:
    """Return what a file holds, up to one byte more than is wanted, by which one that has grown is told."""
    content = os.read(descriptor, wanted + 1)
    while len(content) < wanted and (part := os.read(descriptor, wanted + 1 - len(content))):
        content += part
    return content

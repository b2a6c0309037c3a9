"""An inbox in an object store.

Objects are listed in the order of their keys, and an object is read only with the ETag with which it was listed. The
client lists no key that has an empty part, `.`, `..` or a control character: the folder with such a key is deferred,
and all other folders are listed. It lists a key that ends with `/` without the `/`, and cannot read the object; an
empty one marks a folder, as consoles make them, and is left out.
"""

import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, ClassVar

from audiomnist.scoring.inbox import paths
from audiomnist.scoring.inbox.discover import (
    CHANGING,
    NO_PERMISSION,
    VANISHED,
    Candidate,
    Deferred,
    Entry,
    Excluded,
    InboxError,
    Unusable,
    left_out_by_name,
    too_large,
)
from audiomnist.scoring.inbox.selection import Selection
from audiomnist.storage import store
from audiomnist.storage.url import Url

# Requests at a time of one process. Most of a request is waiting: some 20 ms in a nearby store.
_REQUESTS = 16
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNUSABLE_KEY = "has an empty part, ., .. or a control character in the key of an object{key}: rename it, or delete it"
_ENDS_WITH_SLASH = ("unusable_key", "has a key that ends with /: rename it, or delete it")


@dataclass(frozen=True)
class Bucket:
    """A folder in an object store."""

    url: Url
    read_limit_s: ClassVar[float] = store.RETRY_S + 60

    def __str__(self) -> str:
        return str(self.url)

    def check(self) -> None:
        """Raise InboxError unless the folder can be listed; that it has no objects is no error."""
        if not self.url.key:
            raise InboxError(f"{self} is a whole bucket: name a folder in it, as in {self}/inbox")
        try:
            store.probe(self.url)
        except store.StoreError as error:
            raise self._unlistable(error) from error

    def entries(self, selection: Selection) -> Iterator[Entry]:
        """Yield every object once, in the order of the keys; a folder that is left out by its name is one entry.

        An empty object that marks a folder is no entry, if that can be told without reading it.

        Raises:
            InboxError: the listing breaks off.
        """
        last_key = b""
        last: Entry | None = None
        try:
            for found in _without_markers(self._listed("")):
                if isinstance(found, Candidate) and found.path <= last_key:
                    if found.size_bytes:
                        yield Deferred(found.path or b".", *_ENDS_WITH_SLASH)
                    continue
                entry = found if isinstance(found, Deferred) else _left_out(found.path, selection) or found
                if entry is found or entry != last:
                    yield entry
                last_key, last = max(last_key, found.path), entry
        except store.errors() as error:
            raise self._unlistable(error) from error

    def read(self, files: Sequence[Candidate | Unusable], max_bytes: int) -> Iterator[bytes | Deferred | Unusable]:
        """Yield the whole content of each file, unless it has changed since it was listed, or why it was not read.

        Raises:
            InboxError: the store cannot be reached, or is too busy, for longer than the client tries.
        """
        failures: list[InboxError] = []
        with ThreadPoolExecutor(_REQUESTS) as threads:
            yield from threads.map(partial(self._content, max_bytes=max_bytes, failures=failures), files)

    def _listed(self, folder: str) -> Iterator[Candidate | Deferred]:
        """Yield the objects below a folder of the inbox, in the order of the keys; a key that is unusable defers."""
        import obstore  # noqa: PLC0415 - in an extra
        from obstore.exceptions import InvalidPathError  # noqa: PLC0415

        last_path = b""
        try:
            for page in obstore.list(store.opened(self.url), prefix=folder or None):
                for found in map(_candidate, page):
                    yield found
                    last_path = found.path
        except InvalidPathError:
            for entry in self._folder_by_folder(folder):
                if isinstance(entry, Deferred) or entry.path > last_path:
                    yield entry

    def _folder_by_folder(self, folder: str) -> Iterator[Candidate | Deferred]:
        """Yield what `_listed` yields, where the key of one of the objects is unusable."""
        import obstore  # noqa: PLC0415 - in an extra
        from obstore.exceptions import InvalidPathError  # noqa: PLC0415

        try:
            level = obstore.list_with_delimiter(store.opened(self.url), prefix=folder or None)
        except InvalidPathError as error:
            yield Deferred(folder.encode() or b".", "unusable_key", _UNUSABLE_KEY.format(key=_key_in(error)))
            return
        objects = {found["path"]: found for found in level["objects"]}
        folders = {f"{name}/": name for name in level["common_prefixes"]}
        for key in sorted({**objects, **folders}, key=str.encode):
            if key in folders:
                yield from self._listed(folders[key])
            else:
                yield _candidate(objects[key])

    def _content(
        self, file: Candidate | Unusable, max_bytes: int, failures: list[InboxError]
    ) -> bytes | Deferred | Unusable:
        """Return what `read` yields for a file; once the store has failed, raise the error without another request."""
        import obstore  # noqa: PLC0415 - in an extra

        if failures:
            raise failures[0]
        if isinstance(file, Unusable):
            return file
        if file.size_bytes > max_bytes:
            return too_large(file, max_bytes)
        unchanged: Any = {"if_match": file.etag} if file.etag else {}
        try:
            return bytes(obstore.get(store.opened(self.url), file.path.decode(), options=unchanged).bytes())
        except store.errors() as error:
            if not store.is_unavailable(error):
                return Deferred(file.path, *self._deferral(file, error))
            failures.append(InboxError(f"{self} cannot be read: {store.reason(error, self.url.scheme)}"))
            raise failures[0] from error

    def _deferral(self, file: Candidate, error: Exception) -> tuple[str, str]:
        """Return the reason for which an object was not read, and its explanation."""
        from obstore.exceptions import PermissionDeniedError, PreconditionError  # noqa: PLC0415 - in an extra

        if isinstance(error, FileNotFoundError):
            return _ENDS_WITH_SLASH if file.size_bytes and self._ends_with_slash(file) else VANISHED
        if isinstance(error, PreconditionError):
            return CHANGING
        reason = NO_PERMISSION[0] if isinstance(error, PermissionDeniedError) else "io_error"
        return reason, f"cannot be read: {store.reason(error, self.url.scheme)}"

    def _ends_with_slash(self, file: Candidate) -> bool:
        """Return whether there is an object whose key is that of a file with a `/` after it."""
        import obstore  # noqa: PLC0415 - in an extra

        try:
            first = next(iter(obstore.list(store.opened(self.url), prefix=file.path.decode())), [])
        except store.errors():
            return False
        return any(found["path"].encode() == file.path for found in first)

    def _unlistable(self, error: Exception) -> InboxError:
        return InboxError(f"{self} cannot be listed: {store.reason(error, self.url.scheme)}")


def _without_markers(entries: Iterator[Candidate | Deferred]) -> Iterator[Candidate | Deferred]:
    """Leave out an empty object that is followed by one in the folder of its name, or has no name."""
    found = next(entries, None)
    while found:
        following = next(entries, None)
        name = found.path and found.path + b"/"
        is_empty = isinstance(found, Candidate) and not found.size_bytes
        if not (is_empty and (not name or (following and following.path.startswith(name)))):
            yield found
        found = following


def _key_in(error: Exception) -> str:
    """Return the key that a message of the client is about, as it is put into a sentence; nothing if it has none."""
    found = re.search('Path "(.*?)"(?:: | contained)', str(error), re.DOTALL)
    return f" ({paths.shown(found[1])})" if found else ""


def _candidate(found: Any) -> Candidate:
    modified_ns = (found["last_modified"] - _EPOCH) // timedelta(microseconds=1) * 1000
    return Candidate(found["path"].encode(), found["size"], modified_ns, found["e_tag"])


def _left_out(path: bytes, selection: Selection) -> Excluded | Deferred | None:
    """Return the entry of the first folder on the way to an object, or of the object, that is left out by its name."""
    parts = path.split(b"/")
    for count in range(1, len(parts) + 1):
        if left_out := left_out_by_name(b"/".join(parts[:count]), selection, is_folder=count < len(parts)):
            return left_out
    return None

"""An inbox in an object store.

Objects are listed in the order of their keys, and an object is read only with the ETag with which it was listed. The
client lists no key that has an empty part, `.`, `..` or a control character: the folder with such a key is deferred,
and all other folders are listed.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, ClassVar

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
_UNUSABLE_KEY = "has an object whose key has an empty part, ., .. or a control character: rename it, or delete it"
_OUT_OF_ORDER = "is listed twice or out of order: rename an object whose key ends with /"


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

        Raises:
            InboxError: the listing breaks off.
        """
        last_key = last_path = b""
        try:
            for found in self._listed(""):
                if isinstance(found, Candidate) and found.path <= last_key:
                    yield Deferred(found.path, "unusable_key", _OUT_OF_ORDER)
                    continue
                entry = found if isinstance(found, Deferred) else _left_out(found.path, selection) or found
                if entry.path != last_path:
                    yield entry
                last_key, last_path = max(last_key, found.path), entry.path
        except store.errors() as error:
            raise self._unlistable(error) from error

    def read(self, files: Sequence[Candidate | Unusable], max_bytes: int) -> Iterator[bytes | Deferred | Unusable]:
        """Yield the whole content of each file, unless it has changed since it was listed, or why it was not read."""
        with ThreadPoolExecutor(_REQUESTS) as threads:
            yield from threads.map(partial(self._content, max_bytes=max_bytes), files)

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
            yield from (found for found in self._folder_by_folder(folder) if found.path > last_path)

    def _folder_by_folder(self, folder: str) -> Iterator[Candidate | Deferred]:
        """Yield what `_listed` yields, where the key of one of the objects is unusable."""
        import obstore  # noqa: PLC0415 - in an extra
        from obstore.exceptions import InvalidPathError  # noqa: PLC0415

        try:
            level = obstore.list_with_delimiter(store.opened(self.url), prefix=folder or None)
        except InvalidPathError:
            yield Deferred(folder.encode() or b".", "unusable_key", _UNUSABLE_KEY)
            return
        objects = {found["path"]: found for found in level["objects"]}
        folders = {f"{name}/": name for name in level["common_prefixes"]}
        for key in sorted({**objects, **folders}, key=str.encode):
            if key in folders:
                yield from self._listed(folders[key])
            else:
                yield _candidate(objects[key])

    def _content(self, file: Candidate | Unusable, max_bytes: int) -> bytes | Deferred | Unusable:
        import obstore  # noqa: PLC0415 - in an extra

        if isinstance(file, Unusable):
            return file
        if file.size_bytes > max_bytes:
            return too_large(file, max_bytes)
        unchanged: Any = {"if_match": file.etag} if file.etag else {}
        try:
            return bytes(obstore.get(store.opened(self.url), file.path.decode(), options=unchanged).bytes())
        except store.errors() as error:
            return Deferred(file.path, *self._deferral(error))

    def _deferral(self, error: Exception) -> tuple[str, str]:
        """Return the reason for which an object was not read, and its explanation."""
        from obstore.exceptions import PermissionDeniedError, PreconditionError  # noqa: PLC0415 - in an extra

        expected = {FileNotFoundError: VANISHED, PreconditionError: CHANGING, PermissionDeniedError: NO_PERMISSION}
        return expected.get(type(error), ("io_error", f"cannot be read: {store.reason(error, self.url.scheme)}"))

    def _unlistable(self, error: Exception) -> InboxError:
        return InboxError(f"{self} cannot be listed: {store.reason(error, self.url.scheme)}")


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

"""An inbox: a folder of this machine, or one in an object store."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol

from audiomnist.scoring.inbox import discover
from audiomnist.scoring.inbox.bucket import Bucket
from audiomnist.scoring.inbox.discover import Candidate, Deferred, Entry, Unusable
from audiomnist.scoring.inbox.selection import Selection
from audiomnist.storage.url import Place


class Inbox(Protocol):
    """A folder of files to score; picklable. Reading some files may take up to `read_limit_s` longer than usual."""

    read_limit_s: ClassVar[float]

    def check(self) -> None:
        """Raise InboxError unless it can be listed."""

    def entries(self, selection: Selection) -> Iterator[Entry]:
        """Yield every entry once; raises InboxError if it cannot be listed."""

    def read(self, files: Sequence[Candidate | Unusable], max_bytes: int) -> Iterator[bytes | Deferred | Unusable]:
        """Yield the content of each file, if it is as it was found, or why it was not read."""


@dataclass(frozen=True)
class Folder:
    """A folder of this machine."""

    path: Path
    read_limit_s: ClassVar[float] = 0.0

    def check(self) -> None:
        """See `discover.check_listable`."""
        discover.check_listable(self.path)

    def entries(self, selection: Selection) -> Iterator[Entry]:
        """See `discover.discover`."""
        return discover.discover(self.path, selection)

    def read(self, files: Sequence[Candidate | Unusable], max_bytes: int) -> Iterator[bytes | Deferred | Unusable]:
        """See `discover.read`."""
        return (discover.read(self.path, file, max_bytes) for file in files)


def inbox_at(place: Place) -> Inbox:
    """Return the inbox at a place."""
    return Folder(place) if isinstance(place, Path) else Bucket(place)

"""Folders of an object store as folders of this machine."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from audiomnist.core.errors import AudiomnistError
from audiomnist.storage import store
from audiomnist.storage.url import Url


class DownloadError(AudiomnistError):
    """A folder of an object store cannot be read."""


@contextmanager
def downloaded(url: Url) -> Iterator[Path]:
    """Yield a temporary folder with the objects of a folder.

    Raises:
        DownloadError: they cannot be read, or there are none.
    """
    with tempfile.TemporaryDirectory(prefix="audiomnist-") as folder:
        try:
            found = _download(url, Path(folder))
        except OSError as error:
            raise DownloadError(f"{url} cannot be read: {error}") from error
        if not found:
            raise DownloadError(f"{url} has no files: correct the URL")
        yield Path(folder)


def _download(url: Url, folder: Path) -> int:
    """Copy the objects; return their number."""
    store.probe(url)
    import obstore  # noqa: PLC0415 - in an extra

    with store.requests(url):
        # Without the empty objects that consoles make to mark a folder.
        names = [found["path"] for page in obstore.list(store.opened(url)) for found in page if found["size"]]
        for name in names:
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(obstore.get(store.opened(url), name).bytes())
    return len(names)

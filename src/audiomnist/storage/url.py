"""Places of folders: a path of this machine, or the URL of a folder in an object store."""

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from audiomnist.core.errors import AudiomnistError

SCHEMES = ("s3", "gs", "az")

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_BUCKET = re.compile("[A-Za-z0-9][A-Za-z0-9._-]*")


class UrlError(AudiomnistError):
    """A URL is not that of a folder which can be used."""


@dataclass(frozen=True)
class Url:
    """A folder in an object store: `scheme` is one of `SCHEMES`, `key` begins and ends with no `/`."""

    scheme: str
    bucket: str
    key: str

    def __str__(self) -> str:
        return f"{self.scheme}://{self.bucket}/{self.key}".removesuffix("/")

    def contains(self, other: "Url") -> bool:
        """Return whether the other one is this folder, or lies in it."""
        return f"{other}/".startswith(f"{self}/")


Place = Path | Url


def place_of(text: str) -> Place:
    """Return the place that a path, a `file:` URL or the URL of an object store names.

    Raises:
        UrlError: the URL has another scheme, or more than a bucket and a folder. Its text is in no message where it may
            contain a password.
    """
    if not _URL.match(text):
        return Path(text)
    if not text.isprintable() or set(text) & set("[]"):  # which urlsplit removes, or takes for an address
        raise UrlError("a URL has no control characters and no [ and ]: correct it")
    url = urlsplit(text)
    scheme = url.scheme.lower()
    if scheme == "file":
        if url.netloc not in {"", "localhost"}:
            raise UrlError(f"{text} is on another machine: name a folder of this one, or of an object store")
        return Path(unquote(url.path))
    if scheme not in SCHEMES:
        known = ", ".join(f"{scheme}://" for scheme in SCHEMES)
        raise UrlError(f"{scheme}:// is no object store that is known: name a path, or a URL with {known} or file://")
    if "@" in url.netloc or url.query or url.fragment:
        raise UrlError(
            f"the {scheme}:// URL has more than a bucket and a folder: credentials and settings come from the "
            "environment variables of the store, not from the URL"
        )
    key = url.path.strip("/")
    if not _BUCKET.fullmatch(url.netloc) or (key and not all(map(_is_name, key.split("/")))):
        raise UrlError(
            f"{text!r} names no folder: it is written as {scheme}://BUCKET/FOLDER, without \\, %, .. and control "
            "characters"
        )
    return Url(scheme, url.netloc, key)


def _is_name(part: str) -> bool:
    """Return whether all clients take a part of a key as it is written."""
    return part not in {"", ".", ".."} and part.isprintable() and not set(part) & set("\\%")

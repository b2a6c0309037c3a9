"""A folder on the command line: a path, or a URL of this machine's file system."""

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

import typer


def local_folder(text: str) -> Path:
    """Return the folder of a path or of a `file:` URL; raises typer.BadParameter for any other URL."""
    if not re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", text):
        return Path(text)
    url = urlsplit(text)
    if url.scheme != "file" or url.netloc not in {"", "localhost"}:
        raise typer.BadParameter(f"{text} is not on this machine: object storage is not supported, name a local folder")
    return Path(unquote(url.path))

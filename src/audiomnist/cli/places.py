"""Folders on the command line: a path, or a URL of this machine's file system or of an object store."""

from pathlib import Path

import typer

from audiomnist.storage.url import Place, UrlError, place_of


def place(text: str) -> Place:
    """Return the place that a path or URL names; raises typer.BadParameter if it names none."""
    try:
        return place_of(text)
    except UrlError as error:
        raise typer.BadParameter(str(error)) from error


def local_folder(text: str) -> Path:
    """Return the folder of a path or of a `file:` URL; raises typer.BadParameter for any other URL."""
    found = place(text)
    if not isinstance(found, Path):
        raise typer.BadParameter(f"{found} is in an object store: this command needs a folder of this machine")
    return found

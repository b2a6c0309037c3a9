"""Location of a table: checks of its folder, and errors for one that cannot be read or written."""

import re
from pathlib import Path
from urllib.parse import unquote

from audiomnist.core.errors import AudiomnistError
from audiomnist.core.text import listed
from audiomnist.scoring.table.delta_files import LOG
from audiomnist.storage import store
from audiomnist.storage.url import Place, Url


class TableError(AudiomnistError):
    """A folder cannot be read as a table, or is not a table of this program."""


class TableWriteError(AudiomnistError):
    """A table cannot be written; earlier commits are not affected."""


def uri_of(path: Path) -> str:
    """Return the URI of a folder for Delta Lake; raises TableError if Delta Lake would resolve it to another folder."""
    name = str(path.absolute())
    if set(name) & set("\\#?") or unquote(name) != name or not name.isprintable():
        raise TableError(f"{name!r} cannot be a table: name a folder without \\, #, ?, %XX and control characters")
    return path.absolute().as_uri()


def exists(path: Path) -> bool:
    """Return whether the folder exists; raises TableError if it is a file or cannot be listed."""
    try:
        next(path.iterdir(), None)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise unreadable(path, error) from error
    return True


def check_empty(path: Path) -> None:
    """Raise TableError if a folder has entries that Delta Lake does not ignore, as it does the lock file."""
    others = sorted(entry.name for entry in path.iterdir() if not entry.name.startswith(("_", ".")))
    if others:
        raise TableError(f"{path} is not a table, and holds {listed(others)}: name an empty or a new folder")


def unreadable(place: Place, error: Exception) -> TableError:
    """Return the error for a table that cannot be read."""
    return TableError(f"{place} cannot be read as a table: {_reason(place, error)}")


def damaged(path: Place, error: Exception, recovery: str) -> TableError:
    """Return the error for a table whose log cannot be read; `recovery` says how rows of a removed commit come back."""
    if isinstance(path, Url):
        return unreadable(path, error)
    return TableError(
        f"{unreadable(path, error)}. If a power cut damaged the newest entry or the newest checkpoint in {path / LOG}, "
        f"remove it, and with a checkpoint _last_checkpoint too: {recovery}"
    )


def unwritable(place: Place, error: Exception) -> TableWriteError:
    """Return the error for a table that cannot be written."""
    return TableWriteError(
        f"{place} cannot be written: {_reason(place, error)}. Fix that and run again: what was committed before is safe"
    )


def _reason(place: Place, error: Exception) -> str:
    """Return the message of an error in one line, without the colours and the call stack that Delta Lake adds."""
    if isinstance(place, Url):
        return store.reason(error, place.scheme)
    text = re.sub(r"\x1b\[[0-9;]*m", "", str(error)).partition("\n   0: ")[0]
    return " ".join(text.replace("\N{DOWNWARDS ARROW WITH TIP RIGHTWARDS}", " ").split())

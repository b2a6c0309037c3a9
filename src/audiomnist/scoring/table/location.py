"""The folder of a table: whether it may be one, and what is told when it cannot be read or written."""

import re
from pathlib import Path
from urllib.parse import unquote

from audiomnist.core.errors import AudiomnistError
from audiomnist.core.text import listed
from audiomnist.scoring.table.delta_files import LOG


class TableError(AudiomnistError):
    """A folder cannot be read as a table, or is not one of ours."""


class TableWriteError(AudiomnistError):
    """A table cannot be written; what was committed before stays."""


def address(path: Path) -> str:
    """Return the address of a folder for Delta Lake; raises TableError if it would look elsewhere."""
    name = str(path.absolute())
    if set(name) & set("\\#?") or unquote(name) != name or not name.isprintable():
        raise TableError(f"{name!r} cannot be a table: name a folder without \\, #, ?, %XX and control characters")
    return path.absolute().as_uri()


def exists(path: Path) -> bool:
    """Return whether there is such a folder; raises TableError if it is a file or cannot be listed."""
    try:
        next(path.iterdir(), None)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise unreadable(path, error) from error
    return True


def check_empty(path: Path) -> None:
    """Raise TableError if a folder holds more than names that Delta Lake takes for hidden, as the lock's is."""
    others = sorted(entry.name for entry in path.iterdir() if not entry.name.startswith(("_", ".")))
    if others:
        raise TableError(f"{path} is not a table, and holds {listed(others)}: name an empty or a new folder")


def unreadable(path: Path, error: Exception) -> TableError:
    """Return what to raise when a table cannot be read."""
    return TableError(f"{path} cannot be read as a table: {_reason(error)}")


def damaged(path: Path, error: Exception) -> TableError:
    """Return what to raise when the log of a table cannot be read."""
    return TableError(
        f"{unreadable(path, error)}. If a power cut damaged the newest entry or the newest checkpoint in {path / LOG}, "
        "remove it, and with a checkpoint _last_checkpoint too: the rows that an entry told of are made again"
    )


def unwritable(path: Path, error: Exception) -> TableWriteError:
    """Return what to raise when a table cannot be written."""
    return TableWriteError(
        f"{path} cannot be written: {_reason(error)}. Mend that and run again: what was committed before is safe"
    )


def _reason(error: Exception) -> str:
    """Return an error's text in one line, without the colours and the call stack that Delta Lake adds."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", str(error)).partition("\n   0: ")[0]
    return " ".join(text.replace("\N{DOWNWARDS ARROW WITH TIP RIGHTWARDS}", " ").split())

"""Which version of this program is running."""

import shutil
import subprocess
from importlib.metadata import version
from pathlib import Path

_FILE = Path(__file__)


def revision() -> str:
    """Return the commit of the checkout that the program runs from, marked `-dirty` if altered; else its version."""
    if shutil.which("git") and _git("ls-files", "--error-unmatch", _FILE.name):
        return _git("describe", "--always", "--dirty", "--abbrev=40", "--exclude=*")
    return version("audiomnist")


def _git(*command: str) -> str:
    """Return what git prints, nothing where it fails."""
    ended = subprocess.run(["git", *command], cwd=_FILE.parent, capture_output=True, text=True, check=False)  # noqa: S603, S607 - the commands are written above, and git is looked up on PATH
    return ended.stdout.strip() if ended.returncode == 0 else ""

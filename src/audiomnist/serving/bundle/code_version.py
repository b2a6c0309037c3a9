"""Version of the running program."""

import shutil
import subprocess
from importlib.metadata import version
from pathlib import Path

_FILE = Path(__file__)


def revision() -> str:
    """Return the commit of the checkout that the program runs from (with `-dirty` if modified), else its version."""
    if shutil.which("git") and _git("ls-files", "--error-unmatch", _FILE.name):
        return _git("describe", "--always", "--dirty", "--abbrev=40", "--exclude=*")
    return version("audiomnist")


def _git(*command: str) -> str:
    """Return the output of a git command, or "" if it fails."""
    process = subprocess.run(["git", *command], cwd=_FILE.parent, capture_output=True, text=True, check=False)  # noqa: S603, S607 - the commands are those above, and git is looked up on PATH
    return process.stdout.strip() if process.returncode == 0 else ""

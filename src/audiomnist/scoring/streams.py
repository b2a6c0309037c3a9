"""Where a run speaks to: a log on a full disk, a pipe whose reader is gone and a closed terminal stop no run."""

import errno
import os
import sys
from contextlib import suppress
from typing import Any, TextIO


class Unfailing:
    """A text stream, or None for one that was closed before; what it does not take is lost, and nothing else."""

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - as long as the process

    def write(self, text: str) -> int:
        """Write what can be written."""
        with suppress(OSError, ValueError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Hand on what can be handed on."""
        with suppress(OSError, ValueError):
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def print_result(text: str) -> None:
    """Print a line of ASCII to stdout, at once; raises OSError if it is not taken."""
    if sys.stdout is None:
        raise OSError(errno.EBADF, "it is closed")
    try:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python would try again when it ends
        raise

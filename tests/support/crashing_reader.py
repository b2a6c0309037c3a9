"""Paths that harm whoever reads the file, as a library does that crashes on it; imported by the processes they harm."""

import os
import signal
from typing import NoReturn


class Deadly(bytes):
    """The path of a file that kills the process that reads it."""

    __slots__ = ()

    def replace(self, *_: object) -> NoReturn:
        """Kill the process, where the path is made text."""
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError


class Broken(bytes):
    """The path of a file that brings about an error that nobody foresaw."""

    __slots__ = ()

    def replace(self, *_: object) -> NoReturn:
        """Raise it, where the path is made text."""
        raise ZeroDivisionError

"""Output that must not get lost."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from audiomnist.scoring.table.formats import OutputError


class Checked:
    """A text stream that raises OutputError where it cannot be written."""

    def __init__(self, stream: TextIO | None, name: str) -> None:
        """Take a stream, or None for one that is closed, and the name by which errors speak of it."""
        self._stream, self._name = stream, name

    def write(self, text: str) -> int:
        """Write a text."""
        with self._checked() as stream:
            return stream.write(text)

    def flush(self) -> None:
        """Hand on what was written."""
        with self._checked() as stream:
            stream.flush()

    @contextmanager
    def _checked(self) -> Iterator[TextIO]:
        if self._stream is None:
            raise OutputError(f"{self._name} cannot be written: it is closed")
        try:
            yield self._stream
        except OSError as error:
            raise OutputError(f"{self._name} cannot be written: {error}") from error

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

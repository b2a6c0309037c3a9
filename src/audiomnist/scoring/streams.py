"""Output streams whose write errors are reported."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from audiomnist.scoring.table.formats import OutputError


class CheckedStream:
    """A text stream that raises OutputError if it cannot be written."""

    def __init__(self, stream: TextIO | None, name: str) -> None:
        """Wrap a stream (None if it is closed); `name` is used in error messages."""
        self._stream, self._name = stream, name

    def write(self, text: str) -> int:
        """Write text."""
        with self._checked() as stream:
            return stream.write(text)

    def flush(self) -> None:
        """Flush the stream."""
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

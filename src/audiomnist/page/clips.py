"""The recordings that a page plays, each embedded once, and what may be embedded beside them."""

import io
from base64 import b64encode
from collections.abc import Callable, Iterable
from pathlib import Path

import soundfile

from audiomnist.audio import waveform
from audiomnist.audio.waveform import Waveform


class Clips:
    """The recordings of a page: each has a number, by which the page refers to it, and is embedded once.

    Those that are embedded first are the most important: what would exceed the budget is left out.

    Args:
        folder: of the recordings.
        budget_bytes: of the page, for sounds and pictures together, in base64.
        read: returns the recording at a path.
    """

    def __init__(self, folder: Path, budget_bytes: int, read: Callable[[Path], Waveform] = waveform.read) -> None:
        self._folder = folder
        self._read = read
        self._left_bytes = budget_bytes
        self._numbers: dict[str, int] = {}
        self._sounds: dict[str, str] = {}

    def number(self, file: str) -> int:
        """Return the number of a recording."""
        return self._numbers.setdefault(file, len(self._numbers))

    def embed(self, files: Iterable[str]) -> None:
        """Embed those recordings that are not embedded yet, as far as the budget goes."""
        for file in files:
            self.number(file)
            if file not in self._sounds and (sound := self.within_budget(flac(self._read(self._folder / file)))):
                self._sounds[file] = sound

    def within_budget(self, content: bytes) -> str | None:
        """Return a content in base64, having taken it off the budget; None if it would exceed that."""
        text = b64encode(content).decode("ascii")
        if len(text) > self._left_bytes:
            return None
        self._left_bytes -= len(text)
        return text

    def has(self, file: str) -> bool:
        """Return whether a recording is embedded."""
        return file in self._sounds

    @property
    def left_out(self) -> int:
        """Number of recordings that the page names and does not play."""
        return len(self._numbers) - len(self._sounds)

    def content(self) -> list[tuple[str, str | None]]:
        """Return name and sound (FLAC in base64; None if it is left out) of each recording, by number."""
        return [(file, self._sounds.get(file)) for file in self._numbers]


def flac(recording: Waveform) -> bytes:
    """Return a recording as FLAC of 16 bits: of 16-bit recordings every sample, in some two thirds of the bytes."""
    content = io.BytesIO()
    soundfile.write(content, recording.samples, recording.sample_rate_hz, format="FLAC", subtype="PCM_16")
    return content.getvalue()

"""Takes: what was recorded, made into a recording of the corpus, or refused; and their files."""

import io
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from audiomnist.audio.waveform import Waveform, resampled, trim_silence, without_offset
from audiomnist.core import atomic
from audiomnist.core.errors import AudiomnistError, FaultError
from audiomnist.corpus.layouts import LAYOUTS, SPEAKER, labels

SAMPLE_RATE_HZ = 8000

# Stricter than the gate's bounds in params.yaml, so that it accepts what passes here.
MIN_DURATION_S, MAX_DURATION_S = 0.25, 2.0  # with 80 ms of silence at each end
MIN_LEVEL_DBFS = -50.0
MAX_CLIPPED_FRACTION = 0.001

_TRIM_TOP_DB = 40.0
_CLIPPED_MAGNITUDE = 0.999


class RecordingError(AudiomnistError):
    """Takes cannot be recorded or written."""


def checked(heard: Waveform) -> Waveform:
    """Return a take as the corpus has them: at 8 kHz, without silence but for 80 ms at each end.

    Args:
        heard: one phrase, as it came from the microphone.

    Raises:
        FaultError: it is clipped, too short, too long or too quiet; the detail says so, and what to do.
    """
    clipped = float((np.abs(heard.samples) >= _CLIPPED_MAGNITUDE).mean())
    if clipped > MAX_CLIPPED_FRACTION:
        raise FaultError("clipped", f"clipped: {clipped:.1%} of it is at full scale. Go away from the microphone a bit")
    samples = trim_silence(resampled(without_offset(heard), SAMPLE_RATE_HZ), SAMPLE_RATE_HZ, _TRIM_TOP_DB)
    take = Waveform(samples, SAMPLE_RATE_HZ)
    if take.duration_s < MIN_DURATION_S:
        raise FaultError("too_short", f"too short: {take.duration_s:.2f} s. Say the word, and nothing else")
    if take.duration_s > MAX_DURATION_S:
        raise FaultError("too_long", f"too long: {take.duration_s:.1f} s. Say the word alone, in a quiet place")
    if (level := level_dbfs(take)) < MIN_LEVEL_DBFS:
        raise FaultError("silent", f"too quiet: {level:.0f} dBFS. Speak up, or go nearer to the microphone")
    return take


def level_dbfs(take: Waveform) -> float:
    """Return the root mean square, in dB below full scale."""
    return float(10 * np.log10(np.mean(np.square(take.samples, dtype=np.float64)) + 1e-12))


def check_speaker(speaker: str) -> None:
    """Raise RecordingError unless the name can be in the name of a file of the corpus."""
    if not re.fullmatch(SPEAKER, speaker):
        raise RecordingError(f"{speaker!r} is no speaker's name: letters, digits, '.', '_' and '-', no '_' first")


def write(take: Waveform, folder: Path, digit: int, speaker: str) -> Path:
    """Write a take as `{digit}_{speaker}_{take}.wav`, the number one above the highest; return its path.

    It appears complete or not at all, and never replaces another file, even if two programs write.

    Raises:
        RecordingError: the folder cannot be written.
    """
    content = io.BytesIO()
    soundfile.write(content, take.samples, take.sample_rate_hz, subtype="PCM_16", format="WAV")
    with _file_in(folder) as file:
        file.write(content.getvalue())
        file.flush()
        temporary = Path(file.name)
        temporary.chmod(0o644)
        atomic.sync(temporary)
        while True:
            target = folder / f"{digit}_{speaker}_{_next_take(folder, digit, speaker)}.wav"
            with suppress(FileExistsError):  # another program was quicker
                target.hardlink_to(temporary)
                atomic.sync(folder)
                return target


def check_writable(folder: Path) -> None:
    """Make the folder, and raise RecordingError unless files can be written into it."""
    with _file_in(folder):
        pass


@contextmanager
def _file_in(folder: Path) -> Iterator[Any]:
    """Yield a hidden temporary file."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".take.") as file:
            yield file
    except OSError as error:
        raise RecordingError(f"{folder} cannot be written ({error.strerror}): name another with --into") from error


def _next_take(folder: Path, digit: int, speaker: str) -> int:
    present = [stated for path in folder.iterdir() if (stated := labels(path.name, LAYOUTS[1:]))]
    mine = [stated.take or 0 for stated in present if (stated.digit, stated.speaker) == (digit, speaker)]
    return max(mine, default=-1) + 1

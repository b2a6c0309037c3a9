"""From a file to a waveform, and what every waveform goes through before a model hears it.

Training and service call the same functions, so that a model never meets in service what it did
not meet in training.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray

from audiomnist.audio import wav
from audiomnist.audio.wav import Sound, WavError
from audiomnist.core.errors import AudiomnistError

Samples = wav.Samples

_MIN_DURATION_S = 0.010
_TRIM_FRAME_S = 0.010
_TRIM_MARGIN_FRAMES = 3


class BadAudioError(AudiomnistError):
    """One recording cannot be used. `reason` is unreadable, too_short, not_finite, or one of `audiomnist.audio.wav`.

    `detail` says it without the path.
    """

    def __init__(self, path: Path, reason: str, detail: str) -> None:
        super().__init__(f"{path}: {detail}")
        self.path = path
        self.detail = detail
        self.reason = reason

    def __reduce__(self) -> tuple[type["BadAudioError"], tuple[Path, str, str]]:
        return type(self), (self.path, self.reason, self.detail)


@dataclass(frozen=True, eq=False)
class Waveform:
    """Mono sound: `samples` is float32 `(samples,)` in [-1, 1], at `sample_rate_hz`."""

    samples: Samples
    sample_rate_hz: int

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return len(self.samples) / self.sample_rate_hz


def read(path: Path) -> Waveform:
    """Decode a WAV file and mix its channels to mono (their mean).

    Raises:
        BadAudioError: the file is unreadable, no sound, shorter than 10 ms, or holds samples that are not finite.
    """
    return mixed(decode(path))


def decode(path: Path) -> Sound:
    """Decode a WAV file with all its channels; raises what `read` raises."""
    try:
        sound = wav.parse(path.read_bytes())
    except OSError as error:
        raise BadAudioError(path, "unreadable", f"cannot be read ({error.strerror})") from error
    except WavError as error:
        raise BadAudioError(path, error.reason, error.detail) from error
    duration_s = len(sound.samples) / sound.sample_rate_hz
    if duration_s < _MIN_DURATION_S:
        held = f"{len(sound.samples)} samples at {sound.sample_rate_hz} Hz"
        raise BadAudioError(path, "too_short", f"holds {held}, less than {_MIN_DURATION_S} s")
    if not np.isfinite(sound.samples).all():
        raise BadAudioError(path, "not_finite", "holds samples that are not finite numbers")
    return sound


def mixed(sound: Sound) -> Waveform:
    """Return the mean of a sound's channels."""
    if sound.samples.shape[1] == 1:
        return Waveform(sound.samples[:, 0], sound.sample_rate_hz)
    return Waveform(sound.samples.mean(axis=1, dtype=np.float64).astype(np.float32), sound.sample_rate_hz)


def prepare(waveform: Waveform, sample_rate_hz: int, trim_top_db: float, max_samples: int) -> Samples:
    """Return what a model hears: resampled, silence trimmed at both ends, of what is left the loudest stretch.

    Args:
        waveform: the recording.
        sample_rate_hz: the rate of the model.
        trim_top_db: frames this far below the loudest one count as silence, in dB (> 0).
        max_samples: length of that stretch, at most.
    """
    samples = waveform.samples
    if waveform.sample_rate_hz != sample_rate_hz:
        samples = soxr.resample(samples, waveform.sample_rate_hz, sample_rate_hz)
    return loudest(trim_silence(samples, sample_rate_hz, trim_top_db), max_samples)


def trim_silence(samples: Samples, sample_rate_hz: int, trim_top_db: float) -> Samples:
    """Cut the silence at both ends, leaving 30 ms of it; all-zero sound comes back as it is.

    A frame of 10 ms is silent if its mean power lies more than `trim_top_db` dB below the loudest frame's.
    """
    frame = max(1, round(_TRIM_FRAME_S * sample_rate_hz))
    starts = np.arange(0, len(samples), frame)
    power = np.add.reduceat(np.square(samples, dtype=np.float64), starts)
    loud = (power > power.max() * 10 ** (-trim_top_db / 10)).nonzero()[0]
    if len(loud) == 0:
        return samples
    first = max(0, int(loud[0]) - _TRIM_MARGIN_FRAMES) * frame
    last = (int(loud[-1]) + 1 + _TRIM_MARGIN_FRAMES) * frame
    return samples[first:last]


def loudest(samples: Samples, longest: int) -> Samples:
    """Return the stretch of `longest` samples that holds the most energy, the first of several; all that is shorter."""
    if len(samples) <= longest:
        return samples
    energy = np.cumsum(np.square(samples, dtype=np.float64))
    within = energy[longest - 1 :] - np.concatenate([[0.0], energy[:-longest]])
    first = int(within.argmax())
    return samples[first : first + longest]


def pad(waveforms: list[Samples], at_least: int) -> tuple[Samples, NDArray[np.int64]]:
    """Stack waveforms into one batch.

    Args:
        waveforms: float32 `(samples,)` each.
        at_least: samples that the batch is padded to in any case.

    Returns:
        float32 `(batch, samples)`, zeros after each clip's end, and int64 lengths `(batch,)`.
    """
    lengths = np.array([len(samples) for samples in waveforms], dtype=np.int64)
    batch = np.zeros((len(waveforms), max(at_least, int(lengths.max()))), dtype=np.float32)
    for row, samples in zip(batch, waveforms, strict=True):
        row[: len(samples)] = samples
    return batch, lengths

"""Reading waveforms from files, and preparing them for a model.

Training and serving call the same functions, so that a model gets the same inputs in both.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray

from audiomnist.audio import wav
from audiomnist.audio.wav import PcmAudio, WavError
from audiomnist.core.errors import AudiomnistError

Samples = wav.Samples

_MIN_DURATION_S = 0.010
_TRIM_FRAME_S = 0.010
_TRIM_MARGIN_FRAMES = 3


class BadAudioError(AudiomnistError):
    """A recording cannot be used. `reason` is unreadable, too_short, not_finite, or one of `audiomnist.audio.wav`."""

    def __init__(self, path: Path, reason: str, detail: str) -> None:
        super().__init__(path, reason, detail)
        self.path = path
        self.reason = reason
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.path}: {self.detail}"


@dataclass(frozen=True, eq=False)
class Waveform:
    """Mono audio: `samples` is float32 `(samples,)`, full scale [-1, 1]."""

    samples: Samples
    sample_rate_hz: int

    @property
    def duration_s(self) -> float:
        """Duration in seconds."""
        return len(self.samples) / self.sample_rate_hz


def read(path: Path) -> Waveform:
    """Decode a WAV file and mix its channels to mono (their mean).

    Raises:
        BadAudioError: the file is unreadable, not a WAV file, shorter than 10 ms, or has samples that are not finite.
    """
    return mixed(decode(path))


def decode(path: Path) -> PcmAudio:
    """Decode a WAV file with all its channels; see `read` for the errors."""
    try:
        audio = wav.parse(path.read_bytes())
    except OSError as error:
        raise BadAudioError(path, "unreadable", f"cannot be read ({error.strerror})") from error
    except WavError as error:
        raise BadAudioError(path, error.reason, error.detail) from error
    frames = len(audio.samples)
    if frames / audio.sample_rate_hz < _MIN_DURATION_S:
        held = f"{frames} samples at {audio.sample_rate_hz} Hz"
        raise BadAudioError(path, "too_short", f"holds {held}, less than {_MIN_DURATION_S} s")
    if not np.isfinite(audio.samples).all():
        raise BadAudioError(path, "not_finite", "holds samples that are not finite numbers")
    return audio


def mixed(audio: PcmAudio) -> Waveform:
    """Mix the channels to mono (their mean)."""
    if audio.samples.shape[1] == 1:
        return Waveform(audio.samples[:, 0], audio.sample_rate_hz)
    return Waveform(audio.samples.mean(axis=1, dtype=np.float64).astype(np.float32), audio.sample_rate_hz)


def prepare(waveform: Waveform, sample_rate_hz: int, trim_top_db: float, max_samples: int) -> Samples:
    """Return the input of a model: resampled, silence trimmed at both ends, and at most `max_samples` long.

    Args:
        waveform: the recording.
        sample_rate_hz: the rate of the model.
        trim_top_db: frames this far below the loudest one count as silence, in dB (> 0).
        max_samples: of a longer waveform the stretch with the most energy is taken.

    Returns:
        float32 `(samples,)`.
    """
    return loudest(trim_silence(resampled(waveform, sample_rate_hz), sample_rate_hz, trim_top_db), max_samples)


def resampled(waveform: Waveform, sample_rate_hz: int) -> Samples:
    """Return the samples of a waveform at another rate, float32 `(samples,)`."""
    if waveform.sample_rate_hz == sample_rate_hz:
        return waveform.samples
    return np.asarray(soxr.resample(waveform.samples, waveform.sample_rate_hz, sample_rate_hz), dtype=np.float32)


def trim_silence(samples: Samples, sample_rate_hz: int, trim_top_db: float) -> Samples:
    """Trim the silence at both ends to 30 ms; digital silence is returned unchanged.

    A frame of 10 ms is silent if its mean power is more than `trim_top_db` dB below that of the loudest frame.
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
    """Return the first stretch of `longest` samples with the most energy, or all samples if there are fewer."""
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
        at_least: minimum of samples per row.

    Returns:
        float32 `(batch, samples)`, zeros after each clip's end, and int64 lengths `(batch,)`.
    """
    lengths = np.array([len(samples) for samples in waveforms], dtype=np.int64)
    batch = np.zeros((len(waveforms), max(at_least, int(lengths.max()))), dtype=np.float32)
    for row, samples in zip(batch, waveforms, strict=True):
        row[: len(samples)] = samples
    return batch, lengths

"""Reading waveforms from files, and preparing them for a model.

Training and serving call the same functions, so that a model gets the same inputs in both.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray

from audiomnist.audio import wav
from audiomnist.audio.wav import PcmAudio
from audiomnist.core.errors import AudiomnistError, FaultError

Samples = wav.Samples

_MIN_DURATION_S = 0.010
_CLICK_RATIO = 0.1
_CLICK_SURROUNDING_S = (0.015, 0.050)
_MAX_CLICKS = 4
_FRAME_S = 0.010
_LEVEL_LAG_S = 0.25e-3
_MIN_POWER = 1e-12
_NOISE_FLOOR_QUANTILE = 0.1
_LEVEL_ABOVE_FLOOR = 0.25
_MAX_PAUSE_FRAMES = 20
_TRIM_MARGIN_FRAMES = 8


class BadAudioError(AudiomnistError):
    """A recording cannot be used. `reason` is unreadable, too_short, or one of `audiomnist.audio.wav`."""

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
        BadAudioError: the file is unreadable, not a WAV file, shorter than 10 ms, or has samples that are not finite
            or far beyond full scale.
    """
    return mixed(decode(path))


def decode(path: Path) -> PcmAudio:
    """Decode a WAV file with all its channels; see `read` for the errors."""
    try:
        audio = wav.parse(path.read_bytes())
        _check(audio)
    except OSError as error:
        raise BadAudioError(path, "unreadable", f"cannot be read ({error.strerror})") from error
    except FaultError as error:
        raise BadAudioError(path, error.reason, error.detail) from error
    return audio


def _check(audio: PcmAudio) -> None:
    frames = len(audio.samples)
    if frames / audio.sample_rate_hz < _MIN_DURATION_S:
        held = f"{frames} samples at {audio.sample_rate_hz} Hz"
        raise FaultError("too_short", f"holds {held}, less than {_MIN_DURATION_S} s")
    wav.check_peak(float(np.abs(audio.samples).max()))


def mixed(audio: PcmAudio) -> Waveform:
    """Mix the channels to mono (their mean)."""
    if audio.samples.shape[1] == 1:
        return Waveform(audio.samples[:, 0], audio.sample_rate_hz)
    return Waveform(audio.samples.mean(axis=1, dtype=np.float64).astype(np.float32), audio.sample_rate_hz)


def prepare(waveform: Waveform, sample_rate_hz: int, trim_top_db: float, max_samples: int) -> Samples:
    """Return the input of a model: less its mean, resampled, without clicks and silence, at most `max_samples` long.

    Args:
        waveform: the recording.
        sample_rate_hz: the rate of the model.
        trim_top_db: see `trim_silence`.
        max_samples: of a longer waveform the stretch with the most energy is taken.

    Returns:
        float32 `(samples,)`.
    """
    samples = without_clicks(resampled(without_offset(waveform), sample_rate_hz), sample_rate_hz)
    return loudest(trim_silence(samples, sample_rate_hz, trim_top_db), max_samples)


def resampled(waveform: Waveform, sample_rate_hz: int) -> Samples:
    """Return the samples of a waveform at another rate, float32 `(samples,)`."""
    if waveform.sample_rate_hz == sample_rate_hz:
        return waveform.samples
    return np.asarray(soxr.resample(waveform.samples, waveform.sample_rate_hz, sample_rate_hz), dtype=np.float32)


def without_offset(waveform: Waveform) -> Waveform:
    """Return a waveform less its mean; resampling would make clicks of the ends of an offset."""
    mean = waveform.samples.sum() / len(waveform.samples)
    return Waveform(waveform.samples - mean, waveform.sample_rate_hz)


def without_clicks(samples: Samples, sample_rate_hz: int) -> Samples:
    """Return samples with mean 0 in which up to four clicks are replaced by straight lines of 30 ms.

    The sample with the largest magnitude is a click if every sample 15 to 50 ms before and after it has less than a
    tenth of its magnitude. Speech does not rise and fall so fast. The bytes of a header at the start count as a click.
    """
    near, far = (round(time_s * sample_rate_hz) for time_s in _CLICK_SURROUNDING_S)
    for _ in range(_MAX_CLICKS):
        highest, lowest = int(samples.argmax()), int(samples.argmin())
        click = highest if samples[highest] > -samples[lowest] else lowest
        first, last = max(0, click - near), min(len(samples), click + near)
        limit = _CLICK_RATIO * abs(samples[click])
        if first == 0 and last == len(samples):
            return samples
        if any(
            around.max(initial=0) >= limit or around.min(initial=0) <= -limit
            for around in (samples[last : click + far], samples[max(0, click - far) : first])
        ):
            return samples
        every = np.arange(len(samples))
        kept = np.delete(every, slice(first, last))
        samples = np.interp(every, kept, samples[kept]).astype(np.float32)
    return samples


def trim_silence(samples: Samples, sample_rate_hz: int, trim_top_db: float) -> Samples:
    """Return the loudest utterance with a margin of 80 ms on each side; digital silence is returned unchanged.

    The level of frames of 10 ms lies between the noise floor, its 10th percentile, and its maximum. Speech are the
    frames in the upper three quarters of this range, in dB, and not more than `trim_top_db` dB below the maximum.
    Pauses of up to 200 ms belong to an utterance, so a click well before a digit is trimmed too.
    """
    frame = max(1, round(_FRAME_S * sample_rate_hz))
    power = _speech_power(samples, sample_rate_hz, frame)
    ordered = np.sort(power)
    floor, peak = float(ordered[int(_NOISE_FLOOR_QUANTILE * len(power))]), float(ordered[-1])
    threshold = max(floor ** (1 - _LEVEL_ABOVE_FLOOR) * peak**_LEVEL_ABOVE_FLOOR, peak * 10 ** (-trim_top_db / 10))
    utterance = _loudest_group((power >= threshold).nonzero()[0], power)
    first = max(0, int(utterance[0]) - _TRIM_MARGIN_FRAMES) * frame
    last = (int(utterance[-1]) + 1 + _TRIM_MARGIN_FRAMES) * frame
    return samples[first:last]


def _speech_power(samples: Samples, sample_rate_hz: int, frame: int) -> NDArray[np.floating]:
    """Return the power of each frame, summed with its neighbours, > 0, mostly of the frequencies of speech.

    The difference of two samples that are 0.25 ms apart attenuates frequencies below 700 Hz, by 6 dB per octave.
    """
    lag = max(1, round(_LEVEL_LAG_S * sample_rate_hz))
    difference = samples[lag:] - samples[:-lag]
    power = np.add.reduceat(difference * difference, np.arange(0, len(difference), frame)) + _MIN_POWER
    smoothed = power.copy()
    smoothed[1:] += power[:-1]
    smoothed[:-1] += power[1:]
    return smoothed


def _loudest_group(speech: NDArray[np.intp], power: NDArray[np.floating]) -> NDArray[np.intp]:
    """Return the frames of the group with the most power; pauses between groups are longer than 200 ms."""
    ends = (speech[1:] - speech[:-1] > _MAX_PAUSE_FRAMES).nonzero()[0] + 1
    return max(np.split(speech, ends), key=lambda group: power[group].sum()) if len(ends) else speech


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

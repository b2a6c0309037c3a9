"""Corruptions of a waveform: noise, level, speed, telephone, sample rate, silence, clipping, offset, hum, clicks.

Each takes its strength, a waveform and a generator, and returns another waveform. A clip has one generator for all
conditions, so that it is mixed with the same noise at every level.
"""

import struct
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import soxr
from numpy.random import Generator
from numpy.typing import NDArray

from audiomnist.audio.augment import colored_noise
from audiomnist.audio.waveform import Waveform, resampled

Corruption = Callable[[Waveform, Generator], Waveform]

TELEPHONE_RATE_HZ = 8000
_FULL_SCALE = 2**15  # of 16 bits
_BAND_FILTER_ORDER = 4
_MAINS_HZ = 50
_HARMONICS = np.arange(1, 5)
_CLICK_S = 0.001


def generator(seed: int, file: str) -> Generator:
    """Return the generator of one clip, by seed and file name."""
    return np.random.default_rng([seed, *file.encode()])


def identity(waveform: Waveform, _: Generator) -> Waveform:
    """Return the waveform unchanged."""
    return waveform


def add_white_noise(snr_db: float, waveform: Waveform, rng: Generator) -> Waveform:
    """Add Gaussian noise with the same power at all frequencies.

    Args:
        snr_db: mean power of the waveform over that of the noise, both over the whole duration, in dB, as for the
            other noises. If the sum exceeds full scale, all of it is scaled down.
        waveform: the speech; digital silence is not changed.
        rng: source of the noise.
    """
    return _mixed(waveform, rng.standard_normal(len(waveform.samples)), snr_db)


def add_pink_noise(snr_db: float, waveform: Waveform, rng: Generator) -> Waveform:
    """Add Gaussian noise whose power falls by 3 dB per octave, with mean 0."""
    return _mixed(waveform, colored_noise(len(waveform.samples), 1, rng, has_mean=False), snr_db)


def add_babble(
    snr_db: float, waveform: Waveform, rng: Generator, *, others: Sequence[Waveform], voices: int
) -> Waveform:
    """Add other recordings at equal levels, each looped from a random sample on.

    Args:
        snr_db: see `add_white_noise`.
        waveform: the speech.
        rng: source of the choice, and of where each recording begins.
        others: the recordings to choose from, at least one, none of them all zeros.
        voices: number of recordings; all, if there are fewer.
    """
    chosen = rng.choice(len(others), min(voices, len(others)), replace=False)
    speech = [resampled(others[index], waveform.sample_rate_hz) for index in chosen]
    positions = np.arange(len(waveform.samples))
    looped = [voice.take(positions + rng.integers(len(voice)), mode="wrap") / _rms(voice) for voice in speech]
    return _mixed(waveform, np.sum(looped, axis=0), snr_db)


def change_level(gain_db: float, waveform: Waveform, _: Generator) -> Waveform:
    """Change the level as the gain of a 16-bit recorder does: rounded, and clipped at full scale."""
    return _recorded(waveform.samples.astype(np.float64) * 10 ** (gain_db / 20), waveform.sample_rate_hz)


def change_speed(factor: float, waveform: Waveform, _: Generator) -> Waveform:
    """Play `factor` times as fast, by resampling: tempo, pitch and formants change together."""
    return _scaled_down(soxr.resample(waveform.samples, factor, 1.0), waveform.sample_rate_hz)


def pass_telephone(band_hz: tuple[float, float], waveform: Waveform, _: Generator) -> Waveform:
    """Send speech of at least 10 ms through a telephone line: 8 kHz, a band of frequencies, 8 bits of mu-law.

    The band is filtered forwards and backwards by a Butterworth filter of order 4, which adds no delay and attenuates
    the edges by 6 dB. Each sample becomes the nearest level of ITU-T G.711.
    """
    from scipy.signal import butter, sosfiltfilt  # noqa: PLC0415 - slow to import, and not needed for the parameters

    band = butter(_BAND_FILTER_ORDER, band_hz, "bandpass", fs=TELEPHONE_RATE_HZ, output="sos")
    filtered = sosfiltfilt(band, resampled(waveform, TELEPHONE_RATE_HZ))
    levels = _mu_law_levels()
    nearest = np.searchsorted((levels[1:] + levels[:-1]) / 2, filtered)
    return Waveform(levels[nearest].astype(np.float32), TELEPHONE_RATE_HZ)


def change_rate(sample_rate_hz: int, waveform: Waveform, _: Generator) -> Waveform:
    """Resample to the sample rate of another recorder."""
    return _scaled_down(resampled(waveform, sample_rate_hz), sample_rate_hz)


def prepend_silence(duration_s: float, waveform: Waveform, rng: Generator, *, level_dbfs: float) -> Waveform:
    """Put room noise before the speech: white noise, its root mean square `level_dbfs` (<= 0)."""
    samples = round(duration_s * waveform.sample_rate_hz)
    noise = np.clip(rng.normal(0, 10 ** (level_dbfs / 20), samples), -1, 1)
    return Waveform(np.concatenate([noise.astype(np.float32), waveform.samples]), waveform.sample_rate_hz)


def clip_peaks(clipped_percent: float, waveform: Waveform, _: Generator) -> Waveform:
    """Amplify until at least `clipped_percent` of the samples are at full scale, or all that are not zero."""
    magnitudes = np.sort(np.abs(waveform.samples[waveform.samples != 0].astype(np.float64)))
    if not len(magnitudes):
        return waveform
    clipped = min(len(magnitudes), int(np.ceil(clipped_percent / 100 * len(waveform.samples))))
    return _recorded(waveform.samples / magnitudes[-clipped], waveform.sample_rate_hz)


def add_offset(offset: float, waveform: Waveform, _: Generator, *, surrounding_s: float) -> Waveform:
    """Add a constant, clipped at full scale, as a recorder without a high-pass filter does."""
    surrounded = _surrounded(waveform, surrounding_s)
    return _recorded(surrounded.samples + offset, surrounded.sample_rate_hz)


def add_hum(snr_db: float, waveform: Waveform, rng: Generator, *, surrounding_s: float) -> Waveform:
    """Add mains hum: 50 Hz and three harmonics with amplitudes 1, 1/2, 1/3 and 1/4 and random phases.

    `snr_db` is as in `add_white_noise`, for the speech without the silence around it, also in `add_room_noise`.
    """
    surrounded = _surrounded(waveform, surrounding_s)
    time_s = np.arange(len(surrounded.samples)) / waveform.sample_rate_hz
    phases = 2 * np.pi * (_HARMONICS * _MAINS_HZ * time_s[:, None] + rng.random(len(_HARMONICS)))
    return _mixed(surrounded, (np.sin(phases) / _HARMONICS).sum(axis=1), snr_db, level_of=waveform)


def add_room_noise(snr_db: float, waveform: Waveform, rng: Generator, *, surrounding_s: float) -> Waveform:
    """Add the noise of a room, before and after the speech too: pink noise with mean 0."""
    surrounded = _surrounded(waveform, surrounding_s)
    noise = colored_noise(len(surrounded.samples), 1, rng, has_mean=False)
    return _mixed(surrounded, noise, snr_db, level_of=waveform)


def add_click(before_s: float, waveform: Waveform, _: Generator, *, surrounding_s: float) -> Waveform:
    """Put a click of 1 ms at full scale `before_s` before the speech."""
    surrounded = _surrounded(waveform, surrounding_s)
    start, length = (round(time_s * waveform.sample_rate_hz) for time_s in (surrounding_s - before_s, _CLICK_S))
    samples = surrounded.samples.copy()
    samples[start : start + length] = 1
    return Waveform(samples, waveform.sample_rate_hz)


def prepend_header(size_bytes: int, waveform: Waveform, _: Generator, *, surrounding_s: float) -> Waveform:
    """Put the first bytes of a WAV header, read as 16-bit samples, before the sound."""
    surrounded = _surrounded(waveform, surrounding_s)
    data_bytes, rate_hz = 2 * len(surrounded.samples), waveform.sample_rate_hz
    header = b"RIFF" + struct.pack("<I", 36 + data_bytes) + b"WAVEfmt "
    header += struct.pack("<IHHIIHH", 16, 1, 1, rate_hz, 2 * rate_hz, 2, 16) + b"data" + struct.pack("<I", data_bytes)
    stale = np.frombuffer(header[:size_bytes], dtype="<i2") / np.float32(_FULL_SCALE)
    return Waveform(np.concatenate([stale, surrounded.samples]), rate_hz)


def _surrounded(waveform: Waveform, silence_s: float) -> Waveform:
    """Return a waveform with digital silence on both sides."""
    return Waveform(np.pad(waveform.samples, round(silence_s * waveform.sample_rate_hz)), waveform.sample_rate_hz)


def _mixed(waveform: Waveform, noise: NDArray[np.float64], snr_db: float, level_of: Waveform | None = None) -> Waveform:
    """Add noise; the speech has the level of `level_of`, by default that of the waveform."""
    level = _rms((level_of or waveform).samples) / max(_rms(noise), np.finfo(np.float64).tiny)
    return _scaled_down(waveform.samples + noise * level * 10 ** (-snr_db / 20), waveform.sample_rate_hz)


def _recorded(samples: NDArray[np.floating[Any]], sample_rate_hz: int) -> Waveform:
    """Round samples to 16 bits, and clip them at full scale."""
    steps = np.clip(np.round(samples * _FULL_SCALE), -_FULL_SCALE, _FULL_SCALE - 1)
    return Waveform((steps / _FULL_SCALE).astype(np.float32), sample_rate_hz)


def _scaled_down(samples: NDArray[np.floating[Any]], sample_rate_hz: int) -> Waveform:
    """Scale samples as a whole so that none exceeds full scale."""
    peak = max(1.0, float(np.abs(samples).max(initial=0)))
    return Waveform((samples / peak).astype(np.float32), sample_rate_hz)


def _rms(samples: NDArray[np.floating[Any]]) -> float:
    return float(np.sqrt(np.mean(samples.astype(np.float64) ** 2)))


def _mu_law_levels() -> NDArray[np.float64]:
    """Return the 255 levels of mu-law in ascending order, in [-1, 1] (ITU-T G.711, table 2)."""
    segment, step = np.divmod(np.arange(128), 16)
    magnitude = (((step * 8 + 132) << segment) - 132) / _FULL_SCALE
    return np.concatenate([-magnitude[:0:-1], magnitude])

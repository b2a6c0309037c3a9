"""What happens to a recording on its way to a model: noise, other levels, speeds, lines and devices.

Each disturbance takes its strength, a waveform and a generator, and returns another waveform. A clip has one generator
for all conditions, so that at each level above the noise it meets the same noise.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import soxr
from numpy.random import Generator
from numpy.typing import NDArray

from audiomnist.audio.waveform import Waveform

Disturb = Callable[[Waveform, Generator], Waveform]

_FULL_SCALE = 2**15  # of 16 bits
TELEPHONE_RATE_HZ = 8000
_BAND_FILTER_ORDER = 4


def generator(seed: int, file: str) -> Generator:
    """Return the generator of one clip: it depends on the seed and the file's name, not on other clips."""
    return np.random.default_rng([seed, *file.encode()])


def leave(waveform: Waveform, _: Generator) -> Waveform:
    """Return the waveform as it is."""
    return waveform


def add_white_noise(snr_db: float, waveform: Waveform, rng: Generator) -> Waveform:
    """Add Gaussian noise with the same power at all frequencies.

    Args:
        snr_db: mean power of the waveform over that of the noise, both over the waveform's whole duration, in dB, as
            for the other noises. Where the sum would go beyond full scale, all of it is turned down.
        waveform: the speech; digital silence stays as it is.
        rng: of the noise.
    """
    return _mixed(waveform, rng.standard_normal(len(waveform.samples)), snr_db)


def add_pink_noise(snr_db: float, waveform: Waveform, rng: Generator) -> Waveform:
    """Add Gaussian noise whose power falls by 3 dB per octave, and that has no constant part."""
    spectrum = np.fft.rfft(rng.standard_normal(len(waveform.samples)))
    spectrum[0] = 0
    spectrum /= np.sqrt(np.maximum(np.arange(len(spectrum)), 1))
    return _mixed(waveform, np.fft.irfft(spectrum, len(waveform.samples)), snr_db)


def add_babble(
    snr_db: float, waveform: Waveform, rng: Generator, *, others: Sequence[Waveform], voices: int
) -> Waveform:
    """Add other recordings, at equal levels, each repeated from a random point on for as long as the waveform lasts.

    Args:
        snr_db: as for `add_white_noise`.
        waveform: the speech.
        rng: of the choice, and of where each voice begins.
        others: the recordings to choose from, at least one, none of them silent throughout.
        voices: how many are chosen; all, if there are fewer.
    """
    chosen = rng.choice(len(others), min(voices, len(others)), replace=False)
    speech = [_resampled(others[index], waveform.sample_rate_hz) for index in chosen]
    length = np.arange(len(waveform.samples))
    looped = [voice.take(length + rng.integers(len(voice)), mode="wrap") / _rms(voice) for voice in speech]
    return _mixed(waveform, np.sum(looped, axis=0), snr_db)


def change_level(gain_db: float, waveform: Waveform, _: Generator) -> Waveform:
    """Change the level as a recorder's gain does: rounded to 16 bits, clipped at full scale."""
    return _recorded(waveform.samples.astype(np.float64) * 10 ** (gain_db / 20), waveform.sample_rate_hz)


def change_speed(factor: float, waveform: Waveform, _: Generator) -> Waveform:
    """Play `factor` times as fast, by resampling: tempo, pitch and formants move together."""
    return _fitted(soxr.resample(waveform.samples, factor, 1.0), waveform.sample_rate_hz)


def pass_telephone(band_hz: tuple[float, float], waveform: Waveform, _: Generator) -> Waveform:
    """Send speech of at least 10 ms through a telephone line: 8 kHz, a band of frequencies, 8 bits of mu-law.

    The band is cut out by a Butterworth filter of order 4 that is run forwards and backwards, so that it adds no delay
    and its edges are damped by 6 dB. Each sample becomes the nearest level of ITU-T G.711.
    """
    from scipy.signal import butter, sosfiltfilt  # noqa: PLC0415 - slow to import, and params.yaml is read without it

    band = butter(_BAND_FILTER_ORDER, band_hz, "bandpass", fs=TELEPHONE_RATE_HZ, output="sos")
    heard = sosfiltfilt(band, _resampled(waveform, TELEPHONE_RATE_HZ))
    levels = _mu_law_levels()
    nearest = np.searchsorted((levels[1:] + levels[:-1]) / 2, heard)
    return Waveform(levels[nearest].astype(np.float32), TELEPHONE_RATE_HZ)


def change_rate(sample_rate_hz: int, waveform: Waveform, _: Generator) -> Waveform:
    """Return the same sound as a recorder of another sample rate holds it."""
    return _fitted(_resampled(waveform, sample_rate_hz), sample_rate_hz)


def precede_with_silence(duration_s: float, waveform: Waveform, rng: Generator, *, level_dbfs: float) -> Waveform:
    """Put the hiss of a quiet room before the speech: white noise, its root mean square `level_dbfs` (<= 0)."""
    samples = round(duration_s * waveform.sample_rate_hz)
    hiss = np.clip(rng.normal(0, 10 ** (level_dbfs / 20), samples), -1, 1)
    return Waveform(np.concatenate([hiss.astype(np.float32), waveform.samples]), waveform.sample_rate_hz)


def overdrive(clipped_percent: float, waveform: Waveform, _: Generator) -> Waveform:
    """Turn speech up until at least `clipped_percent` of its samples lie at full scale, or all that are not zero."""
    rising = np.sort(np.abs(waveform.samples[waveform.samples != 0].astype(np.float64)))
    if not len(rising):
        return waveform
    clipped = min(len(rising), int(np.ceil(clipped_percent / 100 * len(waveform.samples))))
    return _recorded(waveform.samples / rising[-clipped], waveform.sample_rate_hz)


def _mixed(waveform: Waveform, noise: NDArray[np.float64], snr_db: float) -> Waveform:
    level = _rms(waveform.samples) / max(_rms(noise), np.finfo(np.float64).tiny)
    return _fitted(waveform.samples + noise * level * 10 ** (-snr_db / 20), waveform.sample_rate_hz)


def _recorded(samples: NDArray[np.floating[Any]], sample_rate_hz: int) -> Waveform:
    steps = np.clip(np.round(samples * _FULL_SCALE), -_FULL_SCALE, _FULL_SCALE - 1)
    return Waveform((steps / _FULL_SCALE).astype(np.float32), sample_rate_hz)


def _fitted(samples: NDArray[np.floating[Any]], sample_rate_hz: int) -> Waveform:
    """Turn sound down as a whole where it goes beyond full scale."""
    peak = max(1.0, float(np.abs(samples).max(initial=0)))
    return Waveform((samples / peak).astype(np.float32), sample_rate_hz)


def _resampled(waveform: Waveform, sample_rate_hz: int) -> NDArray[np.float32]:
    if waveform.sample_rate_hz == sample_rate_hz:
        return waveform.samples
    return np.asarray(soxr.resample(waveform.samples, waveform.sample_rate_hz, sample_rate_hz), dtype=np.float32)


def _rms(samples: NDArray[np.floating[Any]]) -> float:
    return float(np.sqrt(np.mean(samples.astype(np.float64) ** 2)))


def _mu_law_levels() -> NDArray[np.float64]:
    """Return the 255 levels of mu-law in rising order, in [-1, 1] (ITU-T G.711, table 2)."""
    segment, step = np.divmod(np.arange(128), 16)
    magnitude = (((step * 8 + 132) << segment) - 132) / _FULL_SCALE
    return np.concatenate([-magnitude[:0:-1], magnitude])

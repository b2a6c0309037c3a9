"""Waveform augmentation: tempo, pitch, spectral tilt, silence at the ends, reverberation and noise.

Each effect takes float32 samples `(samples,)` in [-1, 1] and draws its strength from a generator, so that a copy
depends on its seed alone.
"""

from typing import Annotated

import numpy as np
import soxr
from numpy.random import Generator
from numpy.typing import NDArray
from pydantic import Field, PositiveFloat

from audiomnist.audio.waveform import Samples
from audiomnist.core.params import Section
from audiomnist.core.ranges import Range


class AugmentParams(Section):
    """Section `features.augment`; each pair is the lower and the upper bound of a uniform draw.

    Attributes:
        copies_per_clip: augmented copies of each recording (0 for none).
        seed: seed of all draws (>= 0).
        tempo: factor of the tempo; the pitch stays.
        pitch_semitones: shift of pitch and formants; the tempo stays.
        tilt_db_per_octave: slope of the spectrum about 1 kHz.
        padding_s: silence before and after the speech, drawn separately, with noise like the rest, since endpoint
            detection differs between microphones.
        reverb_prob: probability of reverberation.
        reverb_rt60_s: time in which the reverberation falls by 60 dB.
        noise_snr_db: level of the speech above noise, whose spectrum is between white and pink.
    """

    copies_per_clip: int = Field(ge=0, le=100)
    seed: int = Field(ge=0)
    tempo: Range[PositiveFloat]
    pitch_semitones: Range[float]
    tilt_db_per_octave: Range[float]
    padding_s: Range[Annotated[float, Field(ge=0, le=1)]]
    reverb_prob: float = Field(ge=0, le=1)
    reverb_rt60_s: Range[PositiveFloat]
    noise_snr_db: Range[float]


def generator(seed: int, content_sha256: str, copy: int) -> Generator:
    """Return the generator of one copy, by seed, content of the recording and number of the copy."""
    return np.random.default_rng([seed, copy, int(content_sha256[:16], 16)])


def augment(samples: Samples, sample_rate_hz: int, params: AugmentParams, rng: Generator) -> Samples:
    """Return an augmented copy `(samples,)` with the peak of the original."""
    peak = float(np.abs(samples).max())
    pitch = 2 ** (rng.uniform(*params.pitch_semitones) / 12)
    stretched = _stretch(samples, rng.uniform(*params.tempo) / pitch, sample_rate_hz)
    changed = np.asarray(soxr.resample(stretched, pitch, 1.0), dtype=np.float32)
    changed = _tilt(changed, sample_rate_hz, rng.uniform(*params.tilt_db_per_octave))
    changed = np.pad(changed, [round(rng.uniform(*params.padding_s) * sample_rate_hz) for _ in range(2)])
    if rng.random() < params.reverb_prob:
        changed = _reverb(changed, sample_rate_hz, rng.uniform(*params.reverb_rt60_s), rng)
    changed = _add_noise(changed, rng.uniform(*params.noise_snr_db), rng)
    return (changed * (peak / max(float(np.abs(changed).max()), 1e-9))).astype(np.float32)


def _stretch(samples: Samples, factor: float, sample_rate_hz: int) -> Samples:
    """Change the tempo by `factor` and keep the pitch, by overlap-add at the most similar lags (WSOLA).

    Verhelst & Roelands, "An overlap-add technique based on waveform similarity", 1993.
    """
    hop = round(0.010 * sample_rate_hz)
    window = np.hanning(2 * hop + 1)[:-1].astype(np.float32)
    padded = np.pad(samples, (2 * hop, 4 * hop))
    count = max(1, round(len(samples) / factor / hop))
    out = np.zeros((count + 2) * hop, dtype=np.float32)
    position = hop
    for index in range(count):
        ideal = min(round(index * hop * factor) + hop, len(padded) - 3 * hop)
        natural = padded[position + hop : position + 3 * hop] if index else padded[ideal : ideal + 2 * hop]
        position = ideal + _best_lag(padded, ideal, natural, hop)
        out[index * hop : (index + 2) * hop] += window * padded[position : position + 2 * hop]
    return out[hop:]


def _best_lag(padded: Samples, ideal: int, natural: Samples, hop: int) -> int:
    """Return the lag from `ideal`, at most one hop, at which the samples correlate best with `natural`."""
    low = max(0, ideal - hop)
    high = min(len(padded) - 2 * hop, ideal + hop)
    if len(natural) < 2 * hop or high <= low:
        return 0
    agreement = np.correlate(padded[low : high + 2 * hop], natural, mode="valid")
    return int(agreement.argmax()) + low - ideal


def _tilt(samples: Samples, sample_rate_hz: int, db_per_octave: float) -> Samples:
    """Scale each frequency by `db_per_octave` for every octave above 1 kHz."""
    frequencies_hz = np.maximum(np.fft.rfftfreq(len(samples), 1 / sample_rate_hz), 50.0)
    gain = 10 ** (db_per_octave * np.log2(frequencies_hz / 1000.0) / 20)
    return np.fft.irfft(np.fft.rfft(samples) * gain, len(samples)).astype(np.float32)


def _reverb(samples: Samples, sample_rate_hz: int, rt60_s: float, rng: Generator) -> Samples:
    """Add reverberation: convolve with noise whose level falls by 60 dB in `rt60_s` (Polack's model)."""
    from scipy.signal import fftconvolve  # noqa: PLC0415 - slow to import, and not needed for the parameters

    time_s = np.arange(max(1, round(rt60_s * sample_rate_hz))) / sample_rate_hz
    echo = rng.standard_normal(len(time_s)) * 10 ** (-3 * time_s / max(rt60_s, 1e-3))
    echo *= rng.uniform(0.1, 0.5) / max(float(np.linalg.norm(echo)), 1e-9)
    return np.asarray(samples + fftconvolve(samples, echo)[: len(samples)], dtype=np.float32)


def _add_noise(samples: Samples, snr_db: float, rng: Generator) -> Samples:
    noise = colored_noise(len(samples), rng.uniform(0, 1), rng)
    power = float(np.mean(samples.astype(np.float64) ** 2))
    noise_power = max(float(np.mean(noise**2)), 1e-12)
    scaled = noise * np.sqrt(power / noise_power / 10 ** (snr_db / 10))
    return np.asarray(samples + scaled, dtype=np.float32)


def colored_noise(count: int, exponent: float, rng: Generator, *, has_mean: bool = True) -> NDArray[np.float64]:
    """Return Gaussian noise `(count,)` with power falling as 1 / frequency**exponent: 0 is white, 1 pink, 2 brown.

    Args:
        count: samples.
        exponent: of the frequency.
        rng: source of the noise.
        has_mean: whether there is power at frequency 0.
    """
    spectrum = np.fft.rfft(rng.standard_normal(count))
    if not has_mean:
        spectrum[0] = 0
    spectrum /= np.maximum(np.arange(len(spectrum)), 1) ** (exponent / 2)
    return np.asarray(np.fft.irfft(spectrum, count), dtype=np.float64)

"""Checks that decoded audio can be scored."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from audiomnist.audio.wav import PcmAudio
from audiomnist.audio.waveform import Waveform
from audiomnist.core.errors import FaultError


class UnusableSoundError(FaultError):
    """Audio that is not passed to a model. `reason` is a code; `detail` explains it without the file's name."""


@dataclass(frozen=True)
class Limits:
    """Limits for files and their audio.

    Attributes:
        max_bytes: maximum file size.
        min_duration_s: minimum duration; the shortest digit of the training corpus lasts 0.14 s.
        max_duration_s: maximum duration: a digit with generous silence around it.
        max_magnitude: maximum magnitude of a sample; full scale is 1, floats may be slightly above it.
        silent_magnitude: audio is silent if no sample is farther from the mean; 3 steps of 16 bits.
        clipped_magnitude: a sample of at least this magnitude counts as clipped.
        max_clipped_fraction: maximum share of clipped samples.
    """

    max_bytes: int = 64 * 2**20
    min_duration_s: float = 0.05
    max_duration_s: float = 10.0
    max_magnitude: float = 8.0
    silent_magnitude: float = 1e-4
    clipped_magnitude: float = 0.999
    max_clipped_fraction: float = 0.4


class Amplitude(NamedTuple):
    """Amplitude of a sound, full scale being 1; NaN or infinite if a sample is.

    `peak` is the largest magnitude, `peak_to_peak` the largest difference between two samples of one channel.
    """

    peak: float
    peak_to_peak: float

    @classmethod
    def of(cls, sound: PcmAudio) -> "Amplitude":
        """Return the amplitude of a sound of at least one sample."""
        lowest, highest = (extreme.reduce(sound.samples).tolist() for extreme in (np.minimum, np.maximum))
        peaks = [max(high, -low) for low, high in zip(lowest, highest, strict=True)]
        if any(map(math.isnan, peaks)):
            return cls(math.nan, math.nan)
        return cls(max(peaks), max(high - low for low, high in zip(lowest, highest, strict=True)))


def check(sound: PcmAudio, amplitude: Amplitude, limits: Limits) -> None:
    """Raise UnusableSoundError if a sound with this amplitude is outside the limits."""
    duration_s = len(sound.samples) / sound.sample_rate_hz
    if duration_s < limits.min_duration_s:
        raise UnusableSoundError("too_short", f"lasts {duration_s:.3f} s, less than {limits.min_duration_s} s")
    if duration_s > limits.max_duration_s:
        raise UnusableSoundError("too_long", f"lasts {duration_s:.1f} s, more than {limits.max_duration_s:.0f} s")
    peak = amplitude.peak
    if not math.isfinite(peak):
        raise UnusableSoundError("not_finite", "holds samples that are not finite numbers")
    if peak > limits.max_magnitude:
        raise UnusableSoundError(
            "out_of_range", f"has samples up to {peak:.3g}, where full scale is 1: scale them when converting"
        )
    _check_loudness(sound, amplitude, limits)


def check_mixture(mixture: Waveform, limits: Limits) -> None:
    """Raise UnusableSoundError if the mean of several channels is silent."""
    peak_to_peak = float(mixture.samples.max() - mixture.samples.min())
    if peak_to_peak <= 2 * limits.silent_magnitude:
        raise UnusableSoundError("silent", "is silent once its channels are mixed: they cancel each other out")


def _check_loudness(sound: PcmAudio, amplitude: Amplitude, limits: Limits) -> None:
    if amplitude.peak_to_peak <= 2 * limits.silent_magnitude:
        farthest = amplitude.peak_to_peak / 2
        raise UnusableSoundError("silent", f"is silent: no sample is farther than {farthest:.1g} from the mean")
    if amplitude.peak < limits.clipped_magnitude:
        return
    clipped = float((np.abs(sound.samples) >= limits.clipped_magnitude).mean())
    if clipped > limits.max_clipped_fraction:
        raise UnusableSoundError("clipped", f"is clipped beyond use: {clipped:.0%} of its samples are at full scale")

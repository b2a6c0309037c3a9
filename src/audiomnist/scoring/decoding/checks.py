"""Which sounds are worth asking a model about."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from audiomnist.audio.wav import Sound
from audiomnist.audio.waveform import Waveform
from audiomnist.core.errors import FaultError


class UnusableSoundError(FaultError):
    """A sound that no model is asked about. `reason` is a code; `sentence` says it without a file's name."""


@dataclass(frozen=True)
class Limits:
    """What is taken.

    Attributes:
        max_bytes: larger files are not read.
        min_duration_s: the shortest digit of the training corpus lasts 0.14 s.
        max_duration_s: a digit with generous silence around it.
        max_magnitude: of a sample; full scale is 1, and floats may lie a little above it.
        silent_magnitude: no sample farther from the mean than this is silence; 3 steps of 16 bits.
        clipped_magnitude: from here on a sample counts as clipped.
        max_clipped_fraction: share of clipped samples.
    """

    max_bytes: int = 64 * 2**20
    min_duration_s: float = 0.05
    max_duration_s: float = 10.0
    max_magnitude: float = 8.0
    silent_magnitude: float = 1e-4
    clipped_magnitude: float = 0.999
    max_clipped_fraction: float = 0.4


class Extent(NamedTuple):
    """How far the samples of a sound go, of which full scale is 1; both are NaN, or infinite, where samples are.

    Attributes:
        peak: the largest magnitude in any channel.
        swing: the largest distance between two samples of one channel.
    """

    peak: float
    swing: float

    @classmethod
    def of(cls, sound: Sound) -> "Extent":
        """Return the extent of a sound of at least one sample."""
        lowest, highest = (extreme.reduce(sound.samples).tolist() for extreme in (np.minimum, np.maximum))
        peaks = [max(high, -low) for low, high in zip(lowest, highest, strict=True)]
        if any(map(math.isnan, peaks)):
            return cls(math.nan, math.nan)
        return cls(max(peaks), max(high - low for low, high in zip(lowest, highest, strict=True)))


def check(sound: Sound, extent: Extent, limits: Limits) -> None:
    """Raise UnusableSoundError if a sound, of this extent, lies outside the limits."""
    duration_s = len(sound.samples) / sound.sample_rate_hz
    if duration_s < limits.min_duration_s:
        raise UnusableSoundError("too_short", f"lasts {duration_s:.3f} s, less than {limits.min_duration_s} s")
    if duration_s > limits.max_duration_s:
        raise UnusableSoundError("too_long", f"lasts {duration_s:.1f} s, more than {limits.max_duration_s:.0f} s")
    highest = extent.peak
    if not math.isfinite(highest):
        raise UnusableSoundError("not_finite", "holds samples that are not finite numbers")
    if highest > limits.max_magnitude:
        raise UnusableSoundError(
            "out_of_range", f"has samples up to {highest:.3g}, where full scale is 1: scale them when converting"
        )
    _check_loudness(sound, extent, limits)


def check_mixture(mixture: Waveform, limits: Limits) -> None:
    """Raise UnusableSoundError if nothing is left of several channels in their mean."""
    swing = float(mixture.samples.max() - mixture.samples.min())
    if swing <= 2 * limits.silent_magnitude:
        raise UnusableSoundError("silent", "is silent once its channels are mixed: they cancel each other out")


def _check_loudness(sound: Sound, extent: Extent, limits: Limits) -> None:
    if extent.swing <= 2 * limits.silent_magnitude:
        farthest = extent.swing / 2
        raise UnusableSoundError("silent", f"is silent: no sample is farther than {farthest:.1g} from the mean")
    if extent.peak < limits.clipped_magnitude:
        return
    clipped = float((np.abs(sound.samples) >= limits.clipped_magnitude).mean())
    if clipped > limits.max_clipped_fraction:
        raise UnusableSoundError("clipped", f"is clipped beyond use: {clipped:.0%} of its samples stand at full scale")

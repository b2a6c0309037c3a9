"""Which sounds are worth asking a model about."""

from dataclasses import dataclass

import numpy as np

from audiomnist.faults import FaultError
from audiomnist.wav import Sound


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


def peak(sound: Sound) -> float:
    """Return the largest magnitude of a sample in any channel; full scale is 1. NaN if a sample is NaN."""
    return float(max(sound.samples.max(), -sound.samples.min()))


def check(sound: Sound, limits: Limits) -> None:
    """Raise UnusableSoundError if a sound of at least one sample lies outside the limits."""
    duration_s = len(sound.samples) / sound.sample_rate_hz
    if duration_s < limits.min_duration_s:
        raise UnusableSoundError("too_short", f"lasts {duration_s:.3f} s, less than {limits.min_duration_s} s")
    if duration_s > limits.max_duration_s:
        raise UnusableSoundError("too_long", f"lasts {duration_s:.1f} s, more than {limits.max_duration_s:.0f} s")
    highest = peak(sound)
    if not np.isfinite(highest):
        raise UnusableSoundError("not_finite", "holds samples that are not finite numbers")
    if highest > limits.max_magnitude:
        raise UnusableSoundError(
            "out_of_range", f"has samples up to {highest:.3g}, where full scale is 1: scale them when converting"
        )
    _check_loudness(sound, highest, limits)


def _check_loudness(sound: Sound, highest: float, limits: Limits) -> None:
    swing = float((sound.samples.max(axis=0) - sound.samples.min(axis=0)).max())
    if swing <= 2 * limits.silent_magnitude:
        raise UnusableSoundError("silent", f"is silent: no sample is farther than {swing / 2:.1g} from the mean")
    if highest < limits.clipped_magnitude:
        return
    clipped = float((np.abs(sound.samples) >= limits.clipped_magnitude).mean())
    if clipped > limits.max_clipped_fraction:
        raise UnusableSoundError("clipped", f"is clipped beyond use: {clipped:.0%} of its samples stand at full scale")

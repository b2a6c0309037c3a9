"""Checks that decoded audio can be scored."""

import math

import numpy as np

from audiomnist.audio.wav import PcmAudio, check_peak
from audiomnist.audio.waveform import Waveform
from audiomnist.core.errors import FaultError

MAX_BYTES = 64 * 2**20  # of a file
MIN_DURATION_S = 0.05  # the shortest digit of the training corpus lasts 0.14 s
MAX_DURATION_S = 10.0  # a digit with generous silence around it
SILENT_MAGNITUDE = 1e-4  # audio is silent if no sample is farther from the mean; 3 steps of 16 bits
CLIPPED_MAGNITUDE = 0.999  # a sample of at least this magnitude counts as clipped
MAX_CLIPPED_FRACTION = 0.4  # of the samples


def amplitude(sound: PcmAudio) -> tuple[float, float]:
    """Return the amplitude of a sound of at least one sample, full scale being 1; NaN or infinite if a sample is.

    The first value, the peak, is the largest magnitude; the second one, peak to peak, is the largest difference between
    two samples of one channel.
    """
    lowest, highest = (extreme.reduce(sound.samples).tolist() for extreme in (np.minimum, np.maximum))
    peaks = [max(high, -low) for low, high in zip(lowest, highest, strict=True)]
    if any(map(math.isnan, peaks)):
        return math.nan, math.nan
    return max(peaks), max(high - low for low, high in zip(lowest, highest, strict=True))


def check(sound: PcmAudio, peak: float, peak_to_peak: float) -> None:
    """Raise FaultError if a sound with this amplitude is outside the limits."""
    duration_s = len(sound.samples) / sound.sample_rate_hz
    if duration_s < MIN_DURATION_S:
        raise FaultError("too_short", f"lasts {duration_s:.3f} s, less than {MIN_DURATION_S} s")
    if duration_s > MAX_DURATION_S:
        raise FaultError("too_long", f"lasts {duration_s:.1f} s, more than {MAX_DURATION_S:.0f} s")
    check_peak(peak)
    if peak_to_peak <= 2 * SILENT_MAGNITUDE:
        raise FaultError("silent", f"is silent: no sample is farther than {peak_to_peak / 2:.1g} from the mean")
    clipped = float((np.abs(sound.samples) >= CLIPPED_MAGNITUDE).mean()) if peak >= CLIPPED_MAGNITUDE else 0.0
    if clipped > MAX_CLIPPED_FRACTION:
        raise FaultError("clipped", f"is clipped beyond use: {clipped:.0%} of its samples are at full scale")


def check_mixture(mixture: Waveform) -> None:
    """Raise FaultError if the mean of several channels is silent."""
    if float(mixture.samples.max() - mixture.samples.min()) <= 2 * SILENT_MAGNITUDE:
        raise FaultError("silent", "is silent once its channels are mixed: they cancel each other out")

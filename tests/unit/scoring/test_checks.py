"""Checks of decoded audio: each limit, and the error beyond it."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from audiomnist.audio.wav import PcmAudio
from audiomnist.audio.waveform import Waveform
from audiomnist.core.errors import FaultError
from audiomnist.scoring.decoding import checks

RATE_HZ = 8000


def noise(frames: int = 4000, channels: int = 1) -> NDArray[np.float32]:
    """Return float32 `(frames, channels)` in [-0.5, 0.5]."""
    return np.random.default_rng(0).uniform(-0.5, 0.5, (frames, channels)).astype(np.float32)


def refusal(samples: NDArray[np.float32]) -> tuple[str, str]:
    """Return reason and sentence with which a sound of 8 kHz is refused."""
    with pytest.raises(FaultError) as caught:
        accepted(samples)
    return caught.value.reason, caught.value.detail


def accepted(samples: NDArray[np.float32]) -> None:
    """Check that a sound of 8 kHz is taken."""
    sound = PcmAudio(samples, RATE_HZ)
    checks.check(sound, *checks.amplitude(sound))


@pytest.mark.parametrize(
    ("samples", "expected"),
    [([[0.25], [-0.75]], 0.75), ([[0.25, -0.5], [0.0, 0.125]], 0.5), ([[0.0]], 0.0), ([[-np.inf], [1.0]], np.inf)],
)
def test_the_peak_is_the_largest_magnitude_in_any_channel(samples: list[list[float]], expected: float) -> None:
    """Before the channels are mixed, in which they may cancel."""
    assert checks.amplitude(PcmAudio(np.array(samples, dtype=np.float32), RATE_HZ))[0] == expected


def test_the_swing_is_the_largest_within_a_channel() -> None:
    """Differences between channels do not count."""
    samples = np.array([[0.5, -0.5], [0.25, -0.125]], dtype=np.float32)
    assert checks.amplitude(PcmAudio(samples, RATE_HZ))[1] == 0.375


def test_the_peak_of_what_is_not_a_number_is_none_either() -> None:
    """One such sample is enough."""
    for channels, where in ((1, 0), (3, 0), (3, 2)):
        samples = noise(channels=channels)
        samples[17, where] = np.nan
        assert math.isnan(checks.amplitude(PcmAudio(samples, RATE_HZ))[0])


@pytest.mark.parametrize("channels", [1, 2, 8])
def test_a_common_sound_is_taken(channels: int) -> None:
    """Of any number of channels."""
    accepted(noise(channels=channels))


def test_durations_are_taken_up_to_the_limits_and_not_beyond() -> None:
    """Frames count, not samples; the message has the value and the limit."""
    accepted(noise(400))
    accepted(noise(80_000))
    assert refusal(noise(399))[0] == "too_short"
    assert refusal(noise(80_001))[0] == "too_long"
    assert refusal(noise(100, channels=8)) == ("too_short", "lasts 0.013 s, less than 0.05 s")
    assert refusal(noise(96_000)) == ("too_long", "lasts 12.0 s, more than 10 s")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", [0, 2000, -1])
def test_one_sample_that_is_no_finite_number_is_enough(value: float, place: int) -> None:
    """At any position, and in one of two channels only."""
    samples = noise(channels=2)
    samples[place, 1] = value
    assert refusal(samples) == ("not_finite", "holds samples that are not finite numbers")


def test_samples_somewhat_beyond_full_scale_are_taken_and_far_ones_not() -> None:
    """Files of floats that were never scaled to 1 hold the integers of another format."""
    loud = noise()
    loud[5] = -8.0
    accepted(loud)
    loud[5] = 8.01
    assert refusal(loud)[0] == "out_of_range"
    assert refusal(noise() * 65_534)[1].startswith("has samples up to 3.28e+04, where full scale is 1")


@pytest.mark.parametrize("level", [0.0, 0.3, -0.9, 1.0])
def test_what_does_not_swing_is_silent(level: float) -> None:
    """A constant is no sound, be it zero or full scale."""
    samples = np.full((4000, 2), level, dtype=np.float32)
    samples[::2] += 1e-4
    assert refusal(samples)[0] == "silent"


def test_the_limit_of_silence_is_a_swing_of_two_ten_thousandths() -> None:
    """That itself is silent; the sentence has the distance from the mean, half of it."""
    sound = PcmAudio(noise(), RATE_HZ)
    checks.check(sound, 0.5, 2.5e-4)
    with pytest.raises(FaultError) as caught:
        checks.check(sound, 0.5, 2e-4)
    assert (caught.value.reason, caught.value.detail) == (
        "silent",
        "is silent: no sample is farther than 0.0001 from the mean",
    )


@pytest.mark.parametrize(("swing", "taken"), [(0.0, False), (1.9e-4, False), (2.5e-4, True)])
def test_channels_that_cancel_each_other_out_are_silent_by_the_same_limit(swing: float, *, taken: bool) -> None:
    """Once they are mixed."""
    mixture = Waveform(np.tile(np.array([0.5, 0.5 + swing], dtype=np.float32), 2000), RATE_HZ)
    if taken:
        checks.check_mixture(mixture)
    else:
        with pytest.raises(FaultError, match=r"^is silent once its channels are mixed: they cancel") as caught:
            checks.check_mixture(mixture)
        assert caught.value.reason == "silent"


def test_one_channel_that_is_not_silent_is_enough() -> None:
    """A microphone plugged into one of two sockets."""
    samples = np.zeros((4000, 2), dtype=np.float32)
    samples[:, 1] = noise()[:, 0] * 0.01
    accepted(samples)


@pytest.mark.parametrize(("fraction", "taken"), [(0.0, True), (0.4, True), (0.41, False), (1.0, False)])
@pytest.mark.parametrize("ceiling", [1.0, 0.999, 1.5])
def test_clipping_is_borne_up_to_a_share_of_the_samples(fraction: float, ceiling: float, *, taken: bool) -> None:
    """At both ends of the scale, and beyond it."""
    samples = noise()
    clipped = round(fraction * len(samples))
    samples[:clipped] = np.where(np.arange(clipped) % 2, ceiling, -ceiling)[:, None]
    if taken:
        accepted(samples)
    else:
        assert refusal(samples) == (
            "clipped",
            f"is clipped beyond use: {fraction:.0%} of its samples are at full scale",
        )


def test_loud_sound_below_full_scale_is_not_clipped() -> None:
    """A square wave may be meant."""
    accepted(np.sign(noise()) * np.float32(0.99))


def test_the_first_fault_is_the_one_that_is_reported() -> None:
    """Duration, then numbers that are none, then range, then loudness."""
    short = np.full((100, 1), np.nan, dtype=np.float32)
    assert refusal(short)[0] == "too_short"
    wild = noise()
    wild[:2] = [[np.nan], [1e6]]
    assert refusal(wild)[0] == "not_finite"
    for loud in (1e6, 1e30, 3e38):
        assert refusal(np.full((4000, 1), loud, dtype=np.float32))[0] == "out_of_range"

"""Whatever the recording, under every condition: sound within full scale, the same each time."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from audiomnist.audio.waveform import Waveform
from audiomnist.robustness import corruptions
from audiomnist.robustness.conditions import RobustnessParams, conditions
from audiomnist.robustness.corruptions import generator

PARAMS = RobustnessParams(
    clips=1,
    seed=0,
    snr_db=(20, 0, -10),
    babble_voices=3,
    gain_db=(-60, -10, 30),
    speed_factor=(0.5, 1.25, 4),
    telephone_band_hz=(300, 3400),
    source_rate_hz=(8000, 11025, 48000),
    leading_silence_s=(0.01, 0.5),
    leading_silence_dbfs=-70,
    clipped_percent=(1, 20, 99),
    surrounding_s=0.3,
    offset=(-0.9, 0.02),
    hum_snr_db=(20, -10),
    room_snr_db=(20, -10),
    click_before_s=(0.001, 0.29),
    header_bytes=(2, 44),
)
PATHS = [condition.path for condition in conditions(PARAMS, [])]

rates_hz = st.sampled_from([8000, 11025, 16000, 44100])
files = st.text(min_size=1, max_size=20).filter(lambda text: text.isprintable())


@st.composite
def waveforms(draw: st.DrawFn) -> Waveform:
    """Return 10 ms to 300 ms of noise in 16 bits, of any level, here and there with digital silence in it."""
    rate_hz = draw(rates_hz)
    rng = np.random.default_rng(draw(st.integers(0, 2**31)))
    samples = rng.normal(0, 10 ** draw(st.floats(-3.5, 0)), draw(st.integers(rate_hz // 100, rate_hz * 3 // 10)))
    samples *= rng.random(len(samples)) >= draw(st.sampled_from([0.0, 0.5, 0.9]))
    steps = np.clip(np.round(samples * 2**15), -(2**15), 2**15 - 1)
    assume(steps.any())
    return Waveform((steps / 2**15).astype(np.float32), rate_hz)


@pytest.mark.parametrize("number", range(len(PATHS)), ids=map("_".join, PATHS))
@settings(max_examples=15)
@given(speech=waveforms(), others=st.lists(waveforms(), min_size=1, max_size=4), file=files)
def test_a_corrupted_waveform_is_valid(number: int, speech: Waveform, others: list[Waveform], file: str) -> None:
    """Float32, finite, within full scale; a second time the same; the recording itself stays as it was."""
    before = speech.samples.copy()
    condition = conditions(PARAMS, others)[number]
    corrupted, again = (condition.corrupt(speech, generator(PARAMS.seed, file)) for _ in range(2))
    assert corrupted.samples.dtype == np.float32
    assert corrupted.samples.ndim == 1
    assert len(corrupted.samples) > 0
    assert np.isfinite(corrupted.samples).all()
    assert np.abs(corrupted.samples).max() <= 1
    assert corrupted.sample_rate_hz == again.sample_rate_hz
    np.testing.assert_array_equal(corrupted.samples, again.samples)
    np.testing.assert_array_equal(speech.samples, before)


@settings(max_examples=50)
@given(
    speech=waveforms(),
    snr_db=st.floats(-20, 40),
    add=st.sampled_from([corruptions.add_white_noise, corruptions.add_pink_noise]),
)
def test_noise_is_at_the_given_snr(speech: Waveform, snr_db: float, add: Callable[..., Waveform]) -> None:
    """For speech of any level: what is so loud that it is turned down is the quiet mixture, louder."""
    quiet = Waveform(speech.samples * np.float32(2**-10), speech.sample_rate_hz)
    noisy = add(snr_db, quiet, generator(0, "a")).samples.astype(np.float64)
    added = noisy - quiet.samples
    ratio = np.mean(quiet.samples.astype(np.float64) ** 2) / np.mean(added**2)
    assert 10 * np.log10(ratio) == pytest.approx(snr_db, abs=0.05)
    loud = add(snr_db, speech, generator(0, "a")).samples
    np.testing.assert_allclose(loud * (np.abs(noisy).max() / np.abs(loud).max()), noisy, atol=1e-6)


@settings(max_examples=50)
@given(speech=waveforms(), percent=st.floats(0.1, 99))
def test_overdriven_sound_reaches_its_share(speech: Waveform, percent: float) -> None:
    """Of all samples, or of those that are not zero if these are fewer; each keeps its sign."""
    loud = corruptions.clip_peaks(percent, speech, generator(0, "a")).samples
    clipped = int((np.abs(loud) >= 1 - 2**-15).sum())
    assert clipped >= min(percent / 100 * len(loud), int(np.count_nonzero(speech.samples)))
    np.testing.assert_array_equal(np.sign(loud), np.sign(speech.samples))


@settings(max_examples=50)
@given(speech=waveforms(), gain_db=st.floats(-60, 60))
def test_a_changed_level_is_one_of_16_bits(speech: Waveform, gain_db: float) -> None:
    """Half a step away from what was asked for at most, but where full scale ends it."""
    corrupted = corruptions.change_level(gain_db, speech, generator(0, "a")).samples.astype(np.float64) * 2**15
    np.testing.assert_array_equal(corrupted, np.round(corrupted))
    wanted = np.clip(speech.samples * 2.0**15 * 10 ** (gain_db / 20), -(2**15), 2**15 - 1)
    assert np.abs(corrupted - wanted).max() <= 0.5 + 1e-6

"""Waveform augmentation: what a copy depends on, and what each effect does to a tone."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydantic import ValidationError

from audiomnist.audio.augment import AugmentParams, augment, colored_noise, generator
from audiomnist.audio.waveform import Samples

CONTENT, OTHER_CONTENT = "0123456789abcdef" * 4, "fedcba9876543210" * 4
STRONG: dict[str, Any] = {
    "copies_per_clip": 3,
    "seed": 0,
    "tempo": (0.85, 1.2),
    "pitch_semitones": (-2.0, 2.0),
    "tilt_db_per_octave": (-3.0, 3.0),
    "padding_s": (0.0, 0.1),
    "reverb_prob": 0.5,
    "reverb_rt60_s": (0.1, 0.4),
    "noise_snr_db": (10.0, 40.0),
}
NEUTRAL: dict[str, Any] = STRONG | {
    "tempo": (1.0, 1.0),
    "pitch_semitones": (0.0, 0.0),
    "tilt_db_per_octave": (0.0, 0.0),
    "padding_s": (0.0, 0.0),
    "reverb_prob": 0.0,
    "noise_snr_db": (60.0, 60.0),
}
NO_NOISE: dict[str, Any] = {"noise_snr_db": (300.0, 300.0)}


@pytest.fixture
def noise() -> Samples:
    """Half a second of white noise, its peak 1: no two parts of it are alike."""
    drawn = np.random.default_rng(4).uniform(-1, 1, 4000)
    return np.asarray(drawn / np.abs(drawn).max(), dtype=np.float32)


def copy_of(samples: Samples, seed: int = 0, content: str = CONTENT, copy: int = 1, **changes: Any) -> Samples:
    """Return a copy with strong effects."""
    params = AugmentParams.model_validate(STRONG | changes)
    return augment(samples, 8000, params, generator(seed, content, copy))


def only(samples: Samples, copy: int = 1, **effect: Any) -> Samples:
    """Return a copy with one effect."""
    params = AugmentParams.model_validate(NEUTRAL | effect)
    return augment(samples, 8000, params, generator(0, CONTENT, copy))


def difference(changed: Samples, original: Samples) -> Samples:
    """Return what was added to an original, whose peak is 1, before the peak was restored."""
    scale = float(changed @ original) / float(original @ original)
    added: Samples = changed / scale - original
    return added


def spectrum(samples: Samples) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return frequencies in Hz and power."""
    windowed = samples.astype(np.float64) * np.hanning(len(samples))
    power: NDArray[np.float64] = np.abs(np.fft.rfft(windowed)) ** 2
    frequencies_hz: NDArray[np.float64] = np.arange(len(power)) * 8000 / len(samples)
    return frequencies_hz, power


def loudest_hz(samples: Samples) -> float:
    """Return the frequency with most energy."""
    frequencies_hz, power = spectrum(samples)
    return float(frequencies_hz[power.argmax()])


def test_a_copy_is_the_same_whenever_it_is_made(tone: Samples) -> None:
    """Seed, content and number of the copy decide everything."""
    np.testing.assert_array_equal(copy_of(tone), copy_of(tone))


@pytest.mark.parametrize("change", [{"copy": 2}, {"seed": 1}, {"content": OTHER_CONTENT}])
def test_copies_differ_with_seed_content_and_number(tone: Samples, change: dict[str, Any]) -> None:
    """Each of the three alone gives another copy."""
    assert not np.array_equal(copy_of(tone), copy_of(tone, **change))


def test_a_copy_does_not_depend_on_its_neighbours(tone: Samples) -> None:
    """It is the same alone, after other copies and between other recordings."""
    alone = copy_of(tone, copy=2)
    for neighbour in (tone[::-1].copy(), tone[:2000], tone):
        copy_of(neighbour, content=OTHER_CONTENT)
        copy_of(neighbour, copy=1)
        np.testing.assert_array_equal(copy_of(tone, copy=2), alone)


def test_the_original_is_left_as_it_is(tone: Samples) -> None:
    """An effect never writes into what it is given."""
    before = tone.copy()
    copy_of(tone, reverb_prob=1.0)
    np.testing.assert_array_equal(tone, before)


@given(
    length=st.integers(1, 3000),
    peak=st.floats(1e-3, 1.0),
    seed=st.integers(0, 2**32),
    copy=st.integers(1, 100),
    reverb_prob=st.sampled_from([0.0, 1.0]),
)
def test_every_copy_is_finite_float32_with_the_originals_peak(
    length: int, peak: float, seed: int, copy: int, reverb_prob: float
) -> None:
    """Also of a sound of one sample, at any level."""
    drawn = np.random.default_rng(length).uniform(-1, 1, length)
    samples = (peak * drawn / np.abs(drawn).max()).astype(np.float32)
    made = copy_of(samples, seed, copy=copy, reverb_prob=reverb_prob)
    assert made.dtype == np.float32
    assert np.isfinite(made).all()
    assert np.abs(made).max() == pytest.approx(peak, rel=1e-5)


def test_silence_stays_silence() -> None:
    """There is no speech to set the noise's level by."""
    made = copy_of(np.zeros(4000, dtype=np.float32), reverb_prob=1.0)
    assert not made.any()


def test_without_effects_a_copy_sounds_as_the_original(tone: Samples) -> None:
    """Length and pitch stay."""
    made = only(tone)
    assert len(made) == pytest.approx(len(tone), rel=0.05)
    assert loudest_hz(made) == pytest.approx(400, rel=0.01)


@pytest.mark.parametrize("factor", [0.7, 0.85, 1.2, 1.5])
def test_speed_alters_the_length_and_not_the_pitch(tone: Samples, factor: float) -> None:
    """A copy at twice the tempo would be half as long, at 400 Hz all the same."""
    made = only(tone, tempo=(factor, factor))
    assert (len(made) < len(tone)) == (factor > 1)
    assert len(made) == pytest.approx(len(tone) / factor, rel=0.05)
    assert loudest_hz(made) == pytest.approx(400, rel=0.02)


@pytest.mark.parametrize("factor", [0.5, 1.0, 2.0])
def test_what_is_said_first_comes_first_at_any_tempo(factor: float) -> None:
    """Of two tones the second begins where the tempo puts it."""
    time_s = np.arange(8000) / 8000
    sound = (0.5 * np.sin(2 * np.pi * np.where(time_s < 0.5, 400, 1000) * time_s)).astype(np.float32)
    made = only(sound, tempo=(factor, factor), **NO_NOISE)
    change = len(made) // 2
    assert loudest_hz(made[: change - 200]) == pytest.approx(400, rel=0.02)
    assert loudest_hz(made[change + 200 :]) == pytest.approx(1000, rel=0.02)


def test_at_its_own_tempo_a_sound_is_itself(noise: Samples) -> None:
    """The last 10 ms apart, where it fades out."""
    made = only(noise, **NO_NOISE)[: len(noise)]
    np.testing.assert_allclose(made[:-80], noise[:-80], atol=1e-5)


@pytest.mark.parametrize("semitones", [-12.0, -4.0, -2.0, 2.0, 4.0, 12.0])
def test_pitch_alters_the_frequency_and_not_the_length(tone: Samples, semitones: float) -> None:
    """A semitone is a twelfth of an octave."""
    made = only(tone, pitch_semitones=(semitones, semitones))
    assert loudest_hz(made) == pytest.approx(400 * 2 ** (semitones / 12), rel=0.02)
    assert len(made) == pytest.approx(len(tone), rel=0.15)


@pytest.mark.parametrize("slope_db", [-3.0, 3.0])
def test_a_tilt_has_that_slope_at_each_frequency_from_50_hz_on(noise: Samples, slope_db: float) -> None:
    """Below, where it would have no bounds, it is flat."""
    flat, tilted = (only(noise, tilt_db_per_octave=(slope, slope), **NO_NOISE) for slope in (0.0, slope_db))
    frequencies_hz = np.arange(1, len(flat) // 2) * 8000 / len(flat)
    gain = np.abs(np.fft.rfft(tilted) / np.fft.rfft(flat))[1 : len(flat) // 2]
    gain_db = 20 * np.log10(gain / gain[(frequencies_hz >= 1000).argmax()])
    octaves = np.log2(np.maximum(frequencies_hz, 50) / frequencies_hz[(frequencies_hz >= 1000).argmax()])
    np.testing.assert_allclose(gain_db, slope_db * octaves, atol=0.01)


@pytest.mark.parametrize("slope_db", [-3.0, 3.0])
def test_tilt_is_a_slope_in_db_per_octave(tone: Samples, slope_db: float) -> None:
    """Of two tones two octaves apart, the upper one moves by twice the slope against the lower."""
    time_s = np.arange(len(tone)) / 8000
    chord = (tone + 0.5 * np.sin(2 * np.pi * 1600 * time_s)).astype(np.float32)
    frequencies_hz, power = spectrum(only(chord, tilt_db_per_octave=(slope_db, slope_db)))
    low, high = (power[np.abs(frequencies_hz - hz) < 50].sum() for hz in (400, 1600))
    flat_frequencies_hz, flat = spectrum(only(chord))
    flat_low, flat_high = (flat[np.abs(flat_frequencies_hz - hz) < 50].sum() for hz in (400, 1600))
    moved_db = 10 * np.log10((high / low) / (flat_high / flat_low))
    assert moved_db == pytest.approx(2 * slope_db, abs=0.5)


def test_noise_has_the_level_that_was_drawn(tone: Samples) -> None:
    """10 dB below the tone in all, measured off the tone's frequency."""
    frequencies_hz, power = spectrum(only(tone, noise_snr_db=(10.0, 10.0)))
    is_tone = np.abs(frequencies_hz - 400) < 30
    ratio_db = 10 * np.log10(power[is_tone].sum() / power[~is_tone].sum())
    assert ratio_db == pytest.approx(10, abs=1.5)


@pytest.mark.parametrize("snr_db", [0.0, 10.0, 20.0])
def test_noise_has_that_level_exactly(noise: Samples, snr_db: float) -> None:
    """Of its power in all, whatever its spectrum."""
    dry = only(noise, **NO_NOISE)
    for copy in range(1, 6):
        added = difference(only(noise, copy, noise_snr_db=(snr_db, snr_db)), dry)
        level_db = 10 * np.log10(np.square(dry).mean() / np.square(added).mean())
        assert level_db == pytest.approx(snr_db, abs=0.3)


def test_noise_is_between_white_and_pink(tone: Samples) -> None:
    """Its power falls by up to 3 dB per octave, and copies differ in that."""
    slopes_db = []
    for copy in range(1, 41):
        frequencies_hz, power = spectrum(only(tone, copy, noise_snr_db=(10.0, 10.0)))
        low, high = (power[(frequencies_hz > hz) & (frequencies_hz < 1.5 * hz)].mean() for hz in (600, 2400))
        slopes_db.append(10 * np.log10(high / low) / 2)
    assert -3.8 < min(slopes_db) < -2
    assert -1 < max(slopes_db) < 0.8


@pytest.mark.parametrize(("exponent", "slope_db"), [(0.0, 0.0), (1.0, -3.01), (2.0, -6.02)])
def test_the_power_of_coloured_noise_falls_with_its_exponent(exponent: float, slope_db: float) -> None:
    """White, pink and brown: 0, 3 and 6 dB per octave."""
    made = colored_noise(200_000, exponent, np.random.default_rng(5))
    power = np.abs(np.fft.rfft(made)) ** 2
    octaves_db = [10 * np.log10(power[first : 2 * first].mean()) for first in (1000, 4000, 16_000)]
    np.testing.assert_allclose(np.diff(octaves_db) / 2, slope_db, atol=0.2)


def test_noise_without_a_mean_differs_in_nothing_else() -> None:
    """By default it has one."""
    without, with_mean = (
        colored_noise(1000, 1.0, np.random.default_rng(5), has_mean=has_mean) for has_mean in (False, True)
    )
    assert without.mean() == pytest.approx(0, abs=1e-12)
    assert abs(with_mean.mean()) > 1e-3
    np.testing.assert_allclose(with_mean - with_mean.mean(), without, atol=1e-12)
    np.testing.assert_array_equal(colored_noise(1000, 1.0, np.random.default_rng(5)), with_mean)


@pytest.mark.parametrize("silence_s", [0.0, 0.05, 0.3, 1.0])
def test_silence_is_before_and_after_the_sound(tone: Samples, silence_s: float) -> None:
    """As long as was drawn, at both ends; the sound between them is what it is without it."""
    silence = round(8000 * silence_s)
    dry, put = (only(tone, padding_s=(length, length), noise_snr_db=(300.0, 300.0)) for length in (0.0, silence_s))
    assert len(put) == len(dry) + 2 * silence
    np.testing.assert_allclose(put[:silence], 0, atol=1e-6)
    np.testing.assert_allclose(put[silence : silence + len(dry)], dry, atol=1e-6)
    np.testing.assert_allclose(put[silence + len(dry) :], 0, atol=1e-6)


def test_silence_at_either_end_is_drawn_for_itself(tone: Samples) -> None:
    """Within its bounds, and not the same at both."""
    pairs = set()
    for copy in range(1, 21):
        params = AugmentParams.model_validate(NEUTRAL | {"padding_s": (0.01, 0.1), "noise_snr_db": (300.0, 300.0)})
        loud = np.flatnonzero(np.abs(made := augment(tone, 8000, params, generator(0, CONTENT, copy))) > 1e-4)
        pairs.add((int(loud[0]), len(made) - 1 - int(loud[-1])))
    before, after = zip(*pairs, strict=True)
    assert len(pairs) == 20
    assert 80 <= min(before) < 200
    assert 600 < max(before) < 900
    assert np.ptp(after) > 400
    assert abs(np.corrcoef(before, after)[0, 1]) < 0.7


def test_silence_lies_under_the_noise(tone: Samples) -> None:
    """Zeros do not give away an endpoint."""
    made = only(tone, padding_s=(0.1, 0.1), noise_snr_db=(20.0, 20.0))
    for end in (made[:800], made[-800:]):
        assert np.square(end).mean() > 1e-5
        assert np.square(end).mean() < np.square(made[1000:4000]).mean() / 10


def test_a_room_goes_on_sounding_after_the_sound(tone: Samples) -> None:
    """Where the original falls silent, there is reverberation."""
    sound = np.concatenate([tone, np.zeros(2000, dtype=np.float32)])
    dry, wet = (only(sound, reverb_prob=fraction, reverb_rt60_s=(0.4, 0.4)) for fraction in (0.0, 1.0))
    after = slice(4400, 5400)
    assert np.square(wet[after]).mean() > 10 * np.square(dry[after]).mean()


@pytest.mark.parametrize("rt60_s", [0.2, 0.4, 1.2])
def test_reverberation_falls_by_60_db_in_its_time(noise: Samples, rt60_s: float) -> None:
    """From one sixth of that time after the sound to two thirds: by 30 dB."""
    sound = np.concatenate([noise, np.zeros(10_000, dtype=np.float32)])
    wet = only(sound, reverb_prob=1.0, reverb_rt60_s=(rt60_s, rt60_s), **NO_NOISE).astype(np.float64)
    piece = round(rt60_s * 8000 / 6)
    early, late = (np.square(wet[4100 + start * piece :][:piece]).mean() for start in (1, 4))
    assert 10 * np.log10(early / late) == pytest.approx(30, abs=4)


def test_the_echo_of_white_noise_is_white(noise: Samples) -> None:
    """A room has no colour of its own."""
    dry = only(noise, **NO_NOISE)
    wet = only(noise, reverb_prob=1.0, reverb_rt60_s=(0.3, 0.3), **NO_NOISE)
    frequencies_hz, power = spectrum(difference(wet, dry))
    low, high = (power[(frequencies_hz > hz) & (frequencies_hz < hz + 1500)].mean() for hz in (0, 2500))
    assert 10 * np.log10(low / high) == pytest.approx(0, abs=3)


def test_a_room_is_weaker_than_the_sound_and_rooms_differ(noise: Samples) -> None:
    """The echo of noise has 0.1 to 0.5 of its amplitude."""
    dry = only(noise, **NO_NOISE)
    room = {"reverb_prob": 1.0, "reverb_rt60_s": (0.05, 0.05), **NO_NOISE}
    echoes = [difference(only(noise, copy, **room), dry).std() / dry.std() for copy in range(1, 41)]
    assert 0.05 < min(echoes) < 0.2
    assert 0.4 < max(echoes) < 0.6


@pytest.mark.parametrize(
    "effect", ["tempo", "pitch_semitones", "tilt_db_per_octave", "padding_s", "reverb_rt60_s", "noise_snr_db"]
)
def test_bounds_stand_in_order(effect: str) -> None:
    """The lower bound comes first; two equal ones are a fixed strength; one is not enough."""
    AugmentParams.model_validate(STRONG | {effect: (1.0, 1.0)})
    with pytest.raises(ValidationError, match="the lower bound comes first"):
        AugmentParams.model_validate(STRONG | {effect: (1.0, 0.9)})
    with pytest.raises(ValidationError, match=effect):
        AugmentParams.model_validate(STRONG | {effect: (1.0,)})


@pytest.mark.parametrize("effect", ["tempo", "reverb_rt60_s"])
def test_a_speed_or_an_echo_of_nothing_is_refused(effect: str) -> None:
    """Zero, less and what is no number are reported before anything is computed."""
    for bound in (0.0, -1.0, float("nan")):
        with pytest.raises(ValidationError, match=effect):
            AugmentParams.model_validate(STRONG | {effect: (bound, 1.0)})


@pytest.mark.parametrize(
    "mistake",
    [
        {"copies_per_clip": -1},
        {"copies_per_clip": 101},
        {"seed": -1},
        {"padding_s": (-0.1, 0.1)},
        {"padding_s": (0.0, 1.1)},
        {"reverb_prob": 1.1},
        {"reverb_prob": -0.1},
    ],
)
def test_counts_and_fractions_are_bounded(mistake: dict[str, float]) -> None:
    """Each mistake is named."""
    with pytest.raises(ValidationError, match=next(iter(mistake))):
        AugmentParams.model_validate(STRONG | mistake)

"""Corruptions: each has the given strength, and is deterministic."""

import doctest
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray
from pydantic import ValidationError
from scipy.signal import butter, sosfiltfilt

from audiomnist.audio import wav
from audiomnist.audio.waveform import Samples, Waveform
from audiomnist.robustness import conditions as condition_table
from audiomnist.robustness import corruptions
from audiomnist.robustness.conditions import RobustnessParams, conditions
from audiomnist.robustness.corruptions import generator

RATE_HZ = 8000
FILE = "3_ada_0.wav"
STRENGTHS: dict[str, Any] = {
    "clips": 10,
    "seed": 0,
    "snr_db": [10, -5],
    "babble_voices": 2,
    "gain_db": [-30, 6],
    "speed_factor": [0.8, 1.25],
    "telephone_band_hz": [300, 3400],
    "source_rate_hz": [44100],
    "leading_silence_s": [0.25, 1.0],
    "leading_silence_dbfs": -70.0,
    "clipped_percent": [5],
    "surrounding_s": 0.3,
    "offset": [0.05],
    "hum_snr_db": [10],
    "room_snr_db": [20],
    "click_before_s": [0.1],
    "header_bytes": [44],
}

Noise = Callable[[float, Waveform, np.random.Generator], Waveform]


def rng() -> np.random.Generator:
    """Return the generator of a clip."""
    return generator(0, FILE)


def sine(hertz: float, amplitude: float = 0.1, seconds: float = 1.0, rate_hz: int = RATE_HZ) -> Waveform:
    """Return a tone."""
    time_s = np.arange(round(seconds * rate_hz)) / rate_hz
    return Waveform((amplitude * np.sin(2 * np.pi * hertz * time_s)).astype(np.float32), rate_hz)


def rms(samples: NDArray[Any]) -> float:
    """Return the root mean square."""
    return float(np.sqrt(np.mean(samples.astype(np.float64) ** 2)))


def decibels(ratio: float) -> float:
    """Return a ratio of amplitudes in dB."""
    return 20 * float(np.log10(max(ratio, 1e-9)))


def loudest_hz(waveform: Waveform) -> float:
    """Return the frequency with most energy."""
    power = np.abs(np.fft.rfft(waveform.samples * np.hanning(len(waveform.samples)))) ** 2
    return float(power.argmax() * waveform.sample_rate_hz / len(waveform.samples))


def gain_at(disturb: Callable[[Waveform, np.random.Generator], Waveform], hertz: float) -> float:
    """Return by how many dB the middle half of a tone is changed."""
    tone = sine(hertz)
    middle = slice(len(tone.samples) // 4, 3 * len(tone.samples) // 4)
    return decibels(rms(disturb(tone, rng()).samples[middle]) / rms(tone.samples[middle]))


def babble_of(*others: Waveform, voices: int = 4) -> Noise:
    """Return the babble of these voices."""
    return partial(corruptions.add_babble, others=others, voices=voices)


NOISES: dict[str, Noise] = {
    "white": corruptions.add_white_noise,
    "pink": corruptions.add_pink_noise,
    "babble": babble_of(sine(250, seconds=0.3), sine(600, 0.4, seconds=2), sine(900, 0.01)),
}
TELEPHONE = partial(corruptions.pass_telephone, (300.0, 3400.0))


@pytest.mark.parametrize("noise", NOISES.values(), ids=NOISES)
@pytest.mark.parametrize("snr_db", [20.0, 5.0, 0.0, -5.0])
def test_noise_has_the_given_snr(noise: Noise, snr_db: float) -> None:
    """By mean power over the clip's own duration, which it keeps."""
    speech = sine(400)
    noisy = noise(snr_db, speech, rng())
    assert len(noisy.samples) == len(speech.samples)
    added = noisy.samples - speech.samples
    assert decibels(rms(speech.samples) / rms(added)) == pytest.approx(snr_db, abs=0.01)


@pytest.mark.parametrize("noise", NOISES.values(), ids=NOISES)
def test_a_clip_meets_the_same_noise_at_every_level(noise: Noise) -> None:
    """What is added at 0 dB is ten times what is added at 20 dB."""
    speech = sine(400)
    quiet, loud = (noise(snr_db, speech, rng()).samples - speech.samples for snr_db in (20.0, 0.0))
    np.testing.assert_allclose(loud, 10 * quiet, atol=1e-5)


@pytest.mark.parametrize("noise", NOISES.values(), ids=NOISES)
def test_noise_that_would_go_beyond_full_scale_turns_all_of_it_down(noise: Noise) -> None:
    """Loud speech in noise is quiet speech in noise, louder: nothing is clipped."""
    quiet, loud = (noise(0.0, sine(400, amplitude), rng()).samples for amplitude in (0.1, 0.9))
    assert np.abs(loud).max() == pytest.approx(1)
    np.testing.assert_allclose(loud / rms(loud), quiet / rms(quiet), atol=1e-4)


@pytest.mark.parametrize("noise", NOISES.values(), ids=NOISES)
def test_noise_in_digital_silence_is_none(noise: Noise) -> None:
    """Noise that lies some dB below nothing is nothing."""
    silence = Waveform(np.zeros(800, dtype=np.float32), RATE_HZ)
    assert not noise(0.0, silence, rng()).samples.any()


@pytest.mark.parametrize(("colour", "slope_db"), [("white", 0.0), ("pink", -3.01)])
def test_noise_has_the_slope_of_its_colour(colour: str, slope_db: float) -> None:
    """In dB per octave, fitted to eight seconds from 50 Hz to 3.2 kHz; nothing is constant in pink noise."""
    speech = sine(10, seconds=8)
    added = NOISES[colour](0.0, speech, rng()).samples - speech.samples
    power = np.abs(np.fft.rfft(added)) ** 2
    edges = 50 * 2.0 ** np.arange(7)
    octaves = [power[round(8 * low) : round(8 * high)].mean() for low, high in pairwise(edges)]
    slope = np.polyfit(np.arange(len(octaves)), 10 * np.log10(octaves), 1)[0]
    assert slope == pytest.approx(slope_db, abs=0.4)
    assert colour == "white" or abs(added.mean()) < 1e-6


def test_babble_of_one_voice_is_that_voice_repeated() -> None:
    """From a random point on, in a circle."""
    voice = Waveform(np.random.default_rng(1).normal(0, 0.1, 700).astype(np.float32), RATE_HZ)
    speech = sine(400)
    added = babble_of(voice)(0.0, speech, rng()).samples - speech.samples
    np.testing.assert_allclose(added[700:], added[:-700], atol=1e-5)
    scaled = added[:700] * (rms(voice.samples) / rms(added[:700]))
    assert min(np.abs(np.roll(scaled, shift) - voice.samples).max() for shift in range(700)) < 1e-4


def test_the_voices_of_babble_are_equally_loud() -> None:
    """Though one was recorded at a hundredth of the other's level."""
    speech = sine(400)
    added = babble_of(sine(250, 0.5), sine(1000, 0.005))(0.0, speech, rng()).samples - speech.samples
    power = np.abs(np.fft.rfft(added)) ** 2
    assert power[250] == pytest.approx(power[1000], rel=0.01)


def test_babble_has_the_given_number_of_voices_and_none_twice() -> None:
    """Chosen by the clip's generator; all of them where there are fewer."""
    others = [sine(hertz) for hertz in (250, 500, 1000, 2000)]
    loud = {}
    for voices in (1, 3, 4, 9):
        speech = sine(3000)
        added = babble_of(*others, voices=voices)(0.0, speech, rng()).samples - speech.samples
        power = np.abs(np.fft.rfft(added))[[250, 500, 1000, 2000]]
        loud[voices] = int((power > power.max() / 100).sum())
        assert power.max() < 1.01 * power[power > power.max() / 100].min()
    assert loud == {1: 1, 3: 3, 4: 4, 9: 4}


def test_a_voice_of_another_rate_keeps_its_pitch_in_babble() -> None:
    """It is brought to the rate of the speech."""
    speech = sine(400)
    noisy = babble_of(sine(1000, rate_hz=48000))(-20.0, speech, rng())
    assert noisy.sample_rate_hz == RATE_HZ
    assert loudest_hz(noisy) == pytest.approx(1000, abs=2)


def test_a_change_of_level_is_rounded_to_16_bits() -> None:
    """What lies below half a step is lost."""
    quiet = corruptions.change_level(-30, sine(400), rng()).samples
    np.testing.assert_array_equal(quiet * 2**15, np.round(quiet * 2**15))
    assert decibels(rms(quiet) / rms(sine(400).samples)) == pytest.approx(-30, abs=0.05)
    assert not corruptions.change_level(-60, sine(400, 0.01), rng()).samples.any()


def test_a_change_of_level_is_clipped_at_full_scale() -> None:
    """Twice 0.8 is 1 less a step above zero, and 1 below."""
    loud = corruptions.change_level(6.0206, sine(400, 0.8), rng()).samples
    assert loud.max() == 1 - 2**-15
    assert loud.min() == -1
    unclipped = np.abs(sine(400, 0.8).samples) < 0.49
    np.testing.assert_allclose(loud[unclipped], 2 * sine(400, 0.8).samples[unclipped], atol=1e-4)


@pytest.mark.parametrize("factor", [0.8, 0.9, 1.1, 1.25])
def test_a_change_of_speed_moves_tempo_and_pitch_together(factor: float) -> None:
    """As a tape does that runs too slow or too fast."""
    played = corruptions.change_speed(factor, sine(400), rng())
    assert played.sample_rate_hz == RATE_HZ
    assert played.duration_s == pytest.approx(1 / factor, abs=1e-3)
    assert loudest_hz(played) == pytest.approx(400 * factor, abs=2)


@pytest.mark.parametrize(("hertz", "lowest_db", "highest_db"), [(1000, -0.3, 0.3), (300, -6.5, -5.5), (3400, -6.5, -5)])
def test_a_telephone_lets_its_band_through(hertz: float, lowest_db: float, highest_db: float) -> None:
    """Its edges are damped by 6 dB."""
    assert lowest_db < gain_at(TELEPHONE, hertz) < highest_db


@pytest.mark.parametrize("hertz", [50, 100, 3900])
def test_a_telephone_lets_nothing_else_through(hertz: float) -> None:
    """Mains hum, low voices' fundamentals and hiss stay behind, but for the noise of mu-law."""
    assert gain_at(TELEPHONE, hertz) < -30


def test_a_telephone_has_the_levels_of_mu_law(tmp_path: Path) -> None:
    """Those that libsndfile decodes, and each sample has the nearest of them."""
    path = tmp_path / "codes.wav"
    soundfile.write(path, np.linspace(-1, 1, 100_000), RATE_HZ, subtype="ULAW")
    levels = np.unique(soundfile.read(path)[0])
    chirp = sine(1000, 0.9, 0.5).samples * np.linspace(0, 1, RATE_HZ // 2, dtype=np.float32)
    received = TELEPHONE(Waveform(chirp, RATE_HZ), rng()).samples
    assert len(levels) == 255
    assert len(np.unique(received)) > 150
    passed = sosfiltfilt(butter(4, (300, 3400), "bandpass", fs=RATE_HZ, output="sos"), chirp)
    np.testing.assert_allclose(received, levels[np.abs(passed[:, None] - levels).argmin(axis=1)], atol=1e-7)


def test_a_telephone_brings_every_recording_to_8_khz() -> None:
    """The rate of the network, whatever the telephone's own."""
    received = TELEPHONE(sine(1000, rate_hz=48000), rng())
    assert received.sample_rate_hz == RATE_HZ
    assert received.duration_s == pytest.approx(1, abs=1e-3)
    assert loudest_hz(received) == pytest.approx(1000, abs=2)


@pytest.mark.parametrize("rate_hz", [44100, 48000])
def test_another_recorder_holds_the_same_sound(rate_hz: int) -> None:
    """At its own rate."""
    recorded = corruptions.change_rate(rate_hz, sine(400), rng())
    assert recorded.sample_rate_hz == rate_hz
    assert recorded.duration_s == pytest.approx(1, abs=1e-3)
    assert loudest_hz(recorded) == pytest.approx(400, abs=2)
    again = corruptions.change_rate(RATE_HZ, recorded, rng()).samples
    np.testing.assert_allclose(again[400:-400], sine(400).samples[400:-400], atol=1e-3)


@pytest.mark.parametrize("duration_s", [0.25, 1.0])
def test_leading_silence_is_quiet_noise_before_untouched_speech(duration_s: float, tone: Samples) -> None:
    """It is no digital silence."""
    late = corruptions.prepend_silence(duration_s, Waveform(tone, RATE_HZ), rng(), level_dbfs=-70)
    silence, speech = np.split(late.samples, [round(duration_s * RATE_HZ)])
    np.testing.assert_array_equal(speech, tone)
    assert decibels(rms(silence)) == pytest.approx(-70, abs=0.5)
    assert (silence != 0).all()


@pytest.mark.parametrize("percent", [5, 20])
def test_overdriven_speech_has_its_share_of_samples_at_full_scale(percent: float) -> None:
    """No more than it has to, and the others are louder by one factor."""
    speech = Waveform(np.random.default_rng(1).normal(0, 0.02, 4000).astype(np.float32), RATE_HZ)
    loud = corruptions.clip_peaks(percent, speech, rng()).samples
    clipped = np.abs(loud) >= 1 - 2**-15
    assert clipped.mean() == pytest.approx(percent / 100, abs=0.001)
    assert clipped.mean() >= percent / 100
    gain = rms(loud[~clipped]) / rms(speech.samples[~clipped])
    np.testing.assert_allclose(loud[~clipped], gain * speech.samples[~clipped], atol=1e-4)


def test_overdriven_silence_stays_silence() -> None:
    """And what is mostly digital silence is clipped as far as there is sound in it."""
    silence = Waveform(np.zeros(800, dtype=np.float32), RATE_HZ)
    assert not corruptions.clip_peaks(5, silence, rng()).samples.any()
    click = np.zeros(800, dtype=np.float32)
    click[3] = 0.1
    np.testing.assert_allclose(
        corruptions.clip_peaks(5, Waveform(click, RATE_HZ), rng()).samples, 10 * click, atol=1e-4
    )


def test_an_offset_is_added_around_the_speech_too(tone: Samples) -> None:
    """And clipped at full scale."""
    speech = Waveform(tone * np.float32(1.9), RATE_HZ)
    offset = corruptions.add_offset(0.3, speech, rng(), surrounding_s=0.1).samples
    np.testing.assert_allclose(offset[:800], 0.3, atol=1e-4)
    np.testing.assert_allclose(offset[800:-800], np.minimum(speech.samples + 0.3, 1), atol=1e-4)


def test_hum_has_the_given_snr_and_the_frequencies_of_the_mains(tone: Samples) -> None:
    """It is measured beside the speech without the silence around it."""
    speech = Waveform(tone * np.float32(0.2), RATE_HZ)
    hum = corruptions.add_hum(10, speech, rng(), surrounding_s=0.25).samples - np.pad(speech.samples, 2000)
    assert decibels(rms(speech.samples) / rms(hum)) == pytest.approx(10, abs=0.01)
    spectrum = np.abs(np.fft.rfft(hum)) ** 2
    assert np.flatnonzero(spectrum > 0.01 * spectrum.max()).tolist() == [50, 100, 150, 200]


def test_the_noise_of_a_room_is_there_before_and_after_the_speech(tone: Samples) -> None:
    """At the given SNR everywhere."""
    speech = Waveform(tone * np.float32(0.2), RATE_HZ)
    noise = corruptions.add_room_noise(20, speech, rng(), surrounding_s=0.3).samples - np.pad(speech.samples, 2400)
    for part in (noise[:2400], noise[2400:-2400], noise[-2400:]):
        assert decibels(rms(speech.samples) / rms(part)) == pytest.approx(20, abs=4)


def test_a_click_is_a_millisecond_at_full_scale_before_the_speech(tone: Samples) -> None:
    """The speech stays."""
    clicked = corruptions.add_click(0.1, Waveform(tone, RATE_HZ), rng(), surrounding_s=0.3).samples
    assert np.flatnonzero(clicked[:2400]).tolist() == list(range(1600, 1608))
    np.testing.assert_array_equal(clicked[2400:-2400], tone)


def test_a_stale_header_is_one_of_the_sound_itself(tone: Samples) -> None:
    """Written before the samples as bytes, it and they are a WAV file."""
    stale = corruptions.prepend_header(44, Waveform(tone, RATE_HZ), rng(), surrounding_s=0.1).samples
    content = (stale * 2**15).astype("<i2").tobytes()
    decoded = wav.parse(content)
    assert decoded.sample_rate_hz == RATE_HZ
    np.testing.assert_allclose(decoded.samples[800:-800, 0], tone, atol=2**-14)


def test_a_clips_draws_depend_on_seed_and_name_alone() -> None:
    """Each of the two alone gives others."""
    draws = [generator(*given).random() for given in ((0, FILE), (0, FILE), (1, FILE), (0, "3_ada_1.wav"))]
    assert draws[0] == draws[1]
    assert len(set(draws)) == 3


def test_the_conditions_stand_in_a_fixed_order_under_keys_without_dots() -> None:
    """The clean clip first; each strength once, in the order of the parameters."""
    found = conditions(RobustnessParams.model_validate(STRENGTHS), [])
    assert [condition.path for condition in found] == [
        ("clean",),
        *(("noise", colour, snr) for colour in ("white", "pink", "babble") for snr in ("snr_10_db", "snr_minus_5_db")),
        ("level", "minus_30_db"),
        ("level", "plus_6_db"),
        ("speed", "0_8"),
        ("speed", "1_25"),
        ("telephone", "300_to_3400_hz"),
        ("source", "44100_hz"),
        ("silence", "0_25_s"),
        ("silence", "1_s"),
        ("clipping", "5_percent"),
        ("offset", "0_05"),
        ("hum", "snr_10_db"),
        ("room", "snr_20_db"),
        ("click", "0_1_s"),
        ("header", "44_bytes"),
    ]
    assert [condition.strength for condition in found[:2]] == ["clean", "SNR 10 dB"]


def test_each_condition_disturbs_as_the_parameters_say(tone: Samples) -> None:
    """The table gives each disturbance its own strength."""
    speech, others = Waveform(tone * np.float32(0.1), RATE_HZ), [sine(250), sine(900)]
    found = {condition.path: condition for condition in conditions(RobustnessParams.model_validate(STRENGTHS), others)}
    corrupted = {path: condition.corrupt(speech, rng()) for path, condition in found.items()}
    assert corrupted["clean",] is speech
    for colour in ("white", "pink", "babble"):
        added = corrupted["noise", colour, "snr_10_db"].samples - speech.samples
        assert decibels(rms(speech.samples) / rms(added)) == pytest.approx(10, abs=0.01)
    assert decibels(rms(corrupted["level", "plus_6_db"].samples) / rms(speech.samples)) == pytest.approx(6, abs=0.05)
    assert corrupted["speed", "1_25"].duration_s == pytest.approx(0.4, abs=1e-3)
    assert decibels(rms(corrupted["telephone", "300_to_3400_hz"].samples) / rms(speech.samples)) == pytest.approx(
        0, abs=1
    )
    assert corrupted["source", "44100_hz"].sample_rate_hz == 44100
    assert corrupted["silence", "0_25_s"].duration_s == pytest.approx(0.75)
    assert decibels(rms(corrupted["silence", "0_25_s"].samples[:2000])) == pytest.approx(-70, abs=0.5)
    assert (np.abs(corrupted["clipping", "5_percent"].samples) >= 1 - 2**-15).mean() >= 0.05
    assert corrupted["offset", "0_05"].samples[0] == pytest.approx(0.05, abs=1e-4)
    assert corrupted["click", "0_1_s"].samples.argmax() == 1600


def test_an_empty_list_leaves_a_disturbance_out() -> None:
    """The clean clip and the telephone are always there."""
    lists: dict[str, Any] = {
        name: [] for name, value in STRENGTHS.items() if isinstance(value, list) and "band" not in name
    }
    found = conditions(RobustnessParams.model_validate(STRENGTHS | lists), [])
    assert [condition.path[0] for condition in found] == ["clean", "telephone"]


@pytest.mark.parametrize(
    "mistake",
    [
        {"clips": 0},
        {"seed": -1},
        {"snr_db": [10, 10.0]},
        {"snr_db": [200]},
        {"babble_voices": 0},
        {"gain_db": [-100]},
        {"speed_factor": [0]},
        {"speed_factor": [1.1, 1.1000001]},
        {"telephone_band_hz": [3400, 300]},
        {"telephone_band_hz": [300, 300]},
        {"telephone_band_hz": [300, 4000]},
        {"source_rate_hz": [44100.5]},
        {"source_rate_hz": [100]},
        {"leading_silence_s": [0]},
        {"leading_silence_dbfs": 3},
        {"clipped_percent": [0]},
        {"clipped_percent": [100]},
        {"surrounding_s": 0},
        {"offset": [1]},
        {"click_before_s": [0.3]},
        {"header_bytes": [43]},
        {"header_bytes": [46]},
        {"reverberation_s": 1},
    ],
)
def test_parameters_that_cannot_be_are_mistakes(mistake: dict[str, Any]) -> None:
    """Each of them alone, also two strengths that would have one key."""
    with pytest.raises(ValidationError):
        RobustnessParams.model_validate(STRENGTHS | mistake)


def test_the_examples_hold() -> None:
    """What the docstrings show is what happens."""
    results = doctest.testmod(condition_table)
    assert results.attempted > 0
    assert results.failed == 0

"""Reading WAV files, and preparing waveforms for a model."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from audiomnist.audio import wav
from audiomnist.audio import waveform as audio
from audiomnist.audio.wav import PcmAudio, WavError
from audiomnist.audio.waveform import BadAudioError, Samples, Waveform

# Samples: 80 ms at 8 kHz, and two frames, since a frame's level depends on its neighbours.
LONGEST_MARGIN = 640 + 160

# Ten samples are a frame at 1 kHz: short sounds of a few levels, each held for a while.
LEVELS = st.sampled_from([0.0, 1e-4, 0.003, 0.1, -0.7, 1.0])
SOUNDS = st.lists(st.tuples(LEVELS, st.integers(1, 60)), min_size=1, max_size=8).map(
    lambda pieces: np.concatenate([np.full(count, level, dtype=np.float32) for level, count in pieces])
)


def padded(sound: Samples, before: int, after: int) -> Samples:
    """Return a sound with digital silence about it."""
    return np.pad(sound, (before, after))


def loudest_hz(samples: Samples, sample_rate_hz: int) -> float:
    """Return the frequency with most energy."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.fft.rfftfreq(len(samples), 1 / sample_rate_hz)[spectrum.argmax()])


@pytest.mark.parametrize(
    ("subtype", "tolerance"), [("PCM_16", 2**-15), ("PCM_24", 2**-23), ("FLOAT", 0.0), ("PCM_U8", 2**-7)]
)
def test_every_usual_encoding_is_decoded(tmp_path: Path, tone: Samples, subtype: str, tolerance: float) -> None:
    """The samples come back as float32 within the encoding's step, with rate and duration."""
    soundfile.write(tmp_path / "tone.wav", tone, 8000, subtype=subtype)
    waveform = audio.read(tmp_path / "tone.wav")
    assert waveform.samples.dtype == np.float32
    np.testing.assert_allclose(waveform.samples, tone, rtol=0, atol=tolerance)
    assert (waveform.sample_rate_hz, waveform.duration_s) == (8000, 0.5)


def test_16_bit_samples_are_fractions_of_32768(tmp_path: Path) -> None:
    """The scale is exact, full scale included."""
    pcm: NDArray[np.int16] = np.tile(np.array([0, 1, -1, 32767, -32768], dtype=np.int16), 20)
    soundfile.write(tmp_path / "steps.wav", pcm, 8000, subtype="PCM_16")
    assert (audio.read(tmp_path / "steps.wav").samples * 32768 == pcm).all()


def test_channels_are_mixed_to_their_mean(tmp_path: Path, tone: Samples) -> None:
    """Of a stereo file whose right side is silent, half the level stays."""
    soundfile.write(tmp_path / "stereo.wav", np.stack([tone, 0 * tone], axis=1), 8000, subtype="FLOAT")
    samples = audio.read(tmp_path / "stereo.wav").samples
    assert samples.shape == tone.shape
    assert samples.flags["C_CONTIGUOUS"]
    np.testing.assert_array_equal(samples, tone / 2)


def test_the_mean_of_channels_is_that_of_exact_sums() -> None:
    """Rounded once, to float32; the rate stays."""
    channels = np.random.default_rng(2).uniform(-1, 1, (1000, 7)).astype(np.float32)
    mixture = audio.mixed(PcmAudio(channels, 11_025))
    assert mixture.samples.dtype == np.float32
    np.testing.assert_array_equal(mixture.samples, channels.astype(np.float64).mean(axis=1).astype(np.float32))
    assert mixture.sample_rate_hz == 11_025


def test_decoding_keeps_the_channels_apart(tmp_path: Path, tone: Samples) -> None:
    """Levels are measured on each channel."""
    both = np.stack([tone, -0.5 * tone], axis=1)
    soundfile.write(tmp_path / "stereo.wav", both, 16_000, subtype="FLOAT")
    sound = audio.decode(tmp_path / "stereo.wav")
    np.testing.assert_array_equal(sound.samples, both)
    assert sound.sample_rate_hz == 16_000


def test_the_only_channel_is_the_mix(tone: Samples) -> None:
    """To the bit."""
    waveform = audio.mixed(PcmAudio(tone[:, None], 11_025))
    np.testing.assert_array_equal(waveform.samples, tone)
    assert waveform.sample_rate_hz == 11_025


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "empty"), (b"not a sound", "not_audio"), (b"RIFF\x24\x00\x00\x00WAVEfmt ", "truncated")],
)
def test_an_invalid_file_is_reported_with_its_path_and_the_reason_of_the_parser(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    """No bytes, text, and a header cut short: the error has code, path and sentence."""
    path = tmp_path / "bad.wav"
    path.write_bytes(content)
    with pytest.raises(WavError) as parsing:
        wav.parse(content)
    with pytest.raises(BadAudioError) as caught:
        audio.read(path)
    assert (caught.value.reason, caught.value.path) == (reason, path)
    assert caught.value.detail == parsing.value.detail
    assert str(caught.value) == f"{path}: {parsing.value.detail}"


def test_an_absent_file_and_a_folder_are_unreadable(tmp_path: Path) -> None:
    """They are errors of the recording, not of the program."""
    for path in (tmp_path / "absent.wav", tmp_path):
        with pytest.raises(BadAudioError) as caught:
            audio.read(path)
        assert (caught.value.path, caught.value.reason) == (path, "unreadable")
        assert str(caught.value).startswith(f"{path}: cannot be read (")


def test_an_error_passes_from_process_to_process(tmp_path: Path) -> None:
    """With all that it says."""
    error = BadAudioError(tmp_path / "bad.wav", "empty", "holds no bytes")
    received = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own
    assert isinstance(received, BadAudioError)
    assert (received.path, received.reason, received.detail) == (error.path, error.reason, error.detail)


def test_a_file_without_samples_is_empty(tmp_path: Path) -> None:
    """A sound header alone is not a recording."""
    soundfile.write(tmp_path / "empty.wav", np.zeros(0), 8000)
    with pytest.raises(BadAudioError, match="holds no sound") as caught:
        audio.read(tmp_path / "empty.wav")
    assert caught.value.reason == "empty"


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_samples_that_are_no_numbers_are_refused(tmp_path: Path, tone: Samples, value: float) -> None:
    """One of them, in one channel of a float file, is enough."""
    both = np.stack([tone, tone], axis=1)
    both[100, 1] = value
    soundfile.write(tmp_path / "nan.wav", both, 8000, subtype="FLOAT")
    with pytest.raises(BadAudioError, match="not finite") as caught:
        audio.read(tmp_path / "nan.wav")
    assert caught.value.reason == "not_finite"


def test_silence_at_both_ends_is_cut_down_to_a_margin_of_80_ms(tone: Samples) -> None:
    """640 samples of the silence stay on each side at 8 kHz, and those of the frames beside the tone."""
    trimmed = audio.trim_silence(padded(tone, 2400, 4000), 8000, 40.0)
    assert len(tone) + 2 * 640 <= len(trimmed) <= len(tone) + 2 * LONGEST_MARGIN


def test_each_side_keeps_its_margin(tone: Samples) -> None:
    """Not one at the other's expense."""
    trimmed = audio.trim_silence(padded(tone + 1, 2400, 4000), 8000, 40.0)  # no sample of the sound is 0
    loud = np.flatnonzero(trimmed)
    assert 640 <= loud[0] <= LONGEST_MARGIN
    assert 640 <= len(trimmed) - 1 - loud[-1] <= LONGEST_MARGIN


def test_silence_within_the_margin_stays(tone: Samples) -> None:
    """A sound that begins and ends at once loses nothing."""
    short = padded(tone, 240, 400)
    np.testing.assert_array_equal(audio.trim_silence(short, 8000, 40.0), short)


def test_a_pause_of_an_utterance_stays(tone: Samples) -> None:
    """A stop consonant is silent for less than 200 ms."""
    sound = np.concatenate([tone, np.zeros(1200, dtype=np.float32), tone])
    np.testing.assert_array_equal(audio.trim_silence(sound, 8000, 40.0), sound)


@pytest.mark.parametrize("gain", [0.01, 0.5])
def test_of_two_utterances_the_louder_one_stays(tone: Samples, gain: float) -> None:
    """They are more than 200 ms apart."""
    silence = np.zeros(4000, dtype=np.float32)
    sound = np.concatenate([gain * tone, silence, tone, silence, gain * tone]).astype(np.float32)
    trimmed = audio.trim_silence(sound, 8000, 60.0)
    assert len(trimmed) <= len(tone) + 2 * LONGEST_MARGIN
    assert np.abs(trimmed).max() == np.abs(tone).max()


def test_a_hum_is_no_utterance(tone: Samples) -> None:
    """Though it has more power than the digit before it, it is not speech."""
    hum = (0.9 * np.sin(2 * np.pi * 60 * np.arange(4000) / 8000)).astype(np.float32)
    silence = np.zeros(4000, dtype=np.float32)
    trimmed = audio.trim_silence(np.concatenate([silence, tone, silence, hum, silence]), 8000, 40.0)
    assert loudest_hz(trimmed, 8000) == pytest.approx(400, abs=5)
    assert len(trimmed) <= len(tone) + 2 * LONGEST_MARGIN


@pytest.mark.parametrize("level", [0.01, 0.3])
@pytest.mark.parametrize("before_s", [0.06, 0.1, 0.25])
def test_a_click_near_the_digit_neither_sets_its_level_nor_is_taken_for_it(
    tone: Samples, level: float, before_s: float
) -> None:
    """One at full scale, of 1 ms, of either sign."""
    sound = padded(level * tone, 4000, 4000)
    for sign in (1, -1):
        with_click = sound.copy()
        start = 4000 - round(before_s * 8000)
        with_click[start : start + 8] = sign
        cleaned = audio.without_clicks(with_click, 8000)
        np.testing.assert_allclose(cleaned, sound, atol=1e-7)
        assert cleaned.dtype == np.float32


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("at", [1800, 2200])
def test_what_has_a_tenth_of_its_magnitude_around_it_is_no_click(sign: int, at: int) -> None:
    """On one side, with one sign; with less it is a click."""
    sound = np.zeros(4000, dtype=np.float32)
    sound[2000], sound[at] = 1, sign * np.float32(0.1)
    np.testing.assert_array_equal(audio.without_clicks(sound, 8000), sound)
    sound[at] = sign * np.float32(0.0999)
    assert audio.without_clicks(sound, 8000)[2000] == 0


def test_the_first_sample_counts_as_one_before_a_click() -> None:
    """At the very start of a sound."""
    sound = np.zeros(4000, dtype=np.float32)
    sound[0], sound[200] = 0.5, 1
    np.testing.assert_array_equal(audio.without_clicks(sound, 8000), sound)


def test_several_clicks_and_a_header_at_the_start_are_removed(tone: Samples) -> None:
    """They are removed one after the other."""
    sound = padded(0.1 * tone, 4000, 4000)
    with_clicks = sound.copy()
    with_clicks[:22], with_clicks[2000], with_clicks[-1] = 0.5, 1, -1
    np.testing.assert_allclose(audio.without_clicks(with_clicks, 8000), sound, atol=1e-7)


@given(sound=SOUNDS)
def test_more_clicks_than_four_and_sounds_of_any_length_are_no_error(sound: Samples) -> None:
    """The length stays, and no sample exceeds the largest one."""
    cleaned = audio.without_clicks(sound, 1000)
    assert len(cleaned) == len(sound)
    assert np.isfinite(cleaned).all()
    assert np.abs(cleaned).max() <= np.abs(sound).max()


def test_speech_has_no_clicks(tone: Samples) -> None:
    """A tone that begins and ends at once, also one of 40 ms, is returned unchanged."""
    for sound in (padded(tone, 4000, 4000), padded(tone[:320], 4000, 4000)):
        np.testing.assert_array_equal(audio.without_clicks(sound, 8000), sound)


@pytest.mark.parametrize("snr_db", [10, 20, 30])
def test_the_noise_of_a_room_is_trimmed(tone: Samples, snr_db: float) -> None:
    """Although it is less than 40 dB below the digit."""
    noise = np.random.default_rng(0).standard_normal(16_000 + len(tone)) * tone.std() * 10 ** (-snr_db / 20)
    sound = (padded(tone, 8000, 8000) + noise).astype(np.float32)
    trimmed = audio.trim_silence(sound, 8000, 40.0)
    assert len(tone) <= len(trimmed) <= len(tone) + 2 * LONGEST_MARGIN


@pytest.mark.parametrize(("trim_top_db", "has_tail"), [(10.0, False), (30.0, True)])
def test_the_threshold_is_relative_to_the_loudest_frame(tone: Samples, trim_top_db: float, has_tail: bool) -> None:  # noqa: FBT001
    """What lies 20 dB below the rest goes with a threshold of 10 dB and stays with one of 30, at any level."""
    silence = np.zeros(8000, dtype=np.float32)
    sound = np.concatenate([silence, tone, 0.1 * tone, silence]).astype(np.float32)
    for gain in (1.0, 1e-2):
        trimmed = audio.trim_silence((gain * sound).astype(np.float32), 8000, trim_top_db)
        assert (len(trimmed) > 1.8 * len(tone)) == has_tail


@pytest.mark.parametrize(("trim_top_db", "has_tail"), [(19.5, False), (20.5, True)])
def test_the_threshold_is_one_in_db(tone: Samples, trim_top_db: float, *, has_tail: bool) -> None:
    """To half of one: a tail at a tenth of the amplitude lies 20 dB below."""
    silence = np.zeros(8000, dtype=np.float32)
    sound = np.concatenate([silence, tone, 0.1 * tone, silence]).astype(np.float32)
    assert (len(audio.trim_silence(sound, 8000, trim_top_db)) > 1.8 * len(tone)) == has_tail


@pytest.mark.parametrize("count", [3, 79, 80, 4321])
def test_all_zero_sound_comes_back_as_it_is(count: int) -> None:
    """There is no loudest frame to measure silence by."""
    silence = np.zeros(count, dtype=np.float32)
    np.testing.assert_array_equal(audio.trim_silence(silence, 8000, 40.0), silence)


@given(sound=SOUNDS.filter(lambda sound: len(sound) > 1))
def test_trimming_keeps_one_stretch_of_unchanged_samples(sound: Samples) -> None:
    """What comes back is an unchanged part of the sound, and is not empty."""
    trimmed = audio.trim_silence(sound, 1000, 40.0)
    starts = range(len(sound) - len(trimmed) + 1)
    assert len(trimmed)
    assert any(np.array_equal(sound[start : start + len(trimmed)], trimmed) for start in starts)


@pytest.mark.parametrize("rate_hz", [8000, 16000, 44100])
@pytest.mark.parametrize("offset", [0.02, 0.05, 0.3, -0.5])
def test_an_offset_changes_nothing_of_a_models_input(tone: Samples, offset: float, rate_hz: int) -> None:
    """It neither keeps silence from being trimmed, nor stays in what is left, nor clicks where resampling begins."""
    quiet = padded(0.5 * tone, 2400, 2400)
    prepared = audio.prepare(Waveform(quiet + np.float32(offset), rate_hz), 8000, 40.0, 20000)
    np.testing.assert_allclose(prepared, audio.prepare(Waveform(quiet, rate_hz), 8000, 40.0, 20000), atol=1e-6)


@pytest.mark.parametrize("sample_rate_hz", [16000, 22050, 44100, 48000])
def test_preparing_resamples_to_the_models_rate(sample_rate_hz: int) -> None:
    """A tone keeps its frequency and duration at another rate."""
    time_s = np.arange(sample_rate_hz) / sample_rate_hz
    tone = (0.5 * np.sin(2 * np.pi * 440 * time_s)).astype(np.float32)
    prepared = audio.prepare(Waveform(tone, sample_rate_hz), 8000, 40.0, 20000)
    assert prepared.dtype == np.float32
    assert abs(len(prepared) - 8000) <= 1
    assert loudest_hz(prepared, 8000) == pytest.approx(440, abs=2)


def test_preparing_at_the_models_own_rate_takes_the_mean_off_and_nothing_else(tone: Samples) -> None:
    """Nothing is filtered where there is nothing to convert."""
    prepared = audio.prepare(Waveform(tone, 8000), 8000, 40.0, 20000)
    np.testing.assert_array_equal(prepared, tone - tone.mean())


def test_a_digit_after_a_second_of_hiss_is_not_cut_off() -> None:
    """Hiss is trimmed, and takes no room from what is louder."""
    hiss = 0.02 * np.sin(np.arange(16000)).astype(np.float32)
    digit = 0.5 * np.sin(np.arange(3000) / 3).astype(np.float32)
    hiss[9000:12000] += digit
    prepared = audio.prepare(Waveform(hiss, 8000), 8000, 40.0, 8000)
    assert 3000 + 2 * 640 <= len(prepared) <= 3000 + 2 * LONGEST_MARGIN


@given(sound=SOUNDS, longest=st.integers(1, 3000))
def test_the_loudest_stretch_is_at_most_as_long_as_asked_and_no_other_has_more_energy(
    sound: Samples, longest: int
) -> None:
    """What is no longer than that comes back whole."""
    prepared = audio.loudest(sound, longest)
    assert len(prepared) == min(longest, len(sound))
    energies = [float(np.square(sound[at : at + len(prepared)], dtype=np.float64).sum()) for at in range(len(sound))]
    energy = float(np.square(prepared, dtype=np.float64).sum())
    assert energy == pytest.approx(max(energies), rel=1e-6, abs=1e-12)


def test_the_first_of_the_loudest_stretches_is_taken_at_any_level() -> None:
    """Also at the start, and of quiet sounds."""
    quiet = np.array([0.1, 0.2, 0, 0, 0.05, 0, 0.2, 0.1], dtype=np.float32)
    np.testing.assert_array_equal(audio.loudest(quiet, 2), quiet[:2])


def test_preparing_cuts_after_trimming(tone: Samples) -> None:
    """Leading silence does not count towards the longest duration."""
    prepared = audio.prepare(Waveform(padded(tone, 8000, 0), 8000), 8000, 40.0, 1000)
    np.testing.assert_allclose(prepared, audio.loudest(tone, 1000), atol=1e-7)


@pytest.mark.parametrize(("at_least", "width"), [(0, 5), (5, 5), (8, 8)])
def test_a_batch_is_as_wide_as_its_longest_clip_or_as_asked(at_least: int, width: int) -> None:
    """Clips begin at the left, zeros follow, and the lengths tell them apart."""
    clips = [np.ones(count, dtype=np.float32) for count in (3, 5, 1)]
    batch, lengths = audio.pad(clips, at_least)
    assert batch.dtype == np.float32
    assert batch.shape == (3, width)
    assert lengths.tolist() == [3, 5, 1]
    assert batch.sum(axis=1).tolist() == [3.0, 5.0, 1.0]
    assert batch[2].tolist() == [1.0] + [0.0] * (width - 1)


@pytest.mark.parametrize("rate_hz", [8000, 48000, 192_000])
def test_a_recording_of_less_than_ten_milliseconds_is_too_short(tmp_path: Path, rate_hz: int) -> None:
    """So that resampling always leaves some samples."""
    soundfile.write(tmp_path / "click.wav", np.full(rate_hz // 100 - 1, 0.5), rate_hz)
    with pytest.raises(BadAudioError, match=r"less than 0\.01 s") as caught:
        audio.read(tmp_path / "click.wav")
    assert caught.value.reason == "too_short"
    assert f"holds {rate_hz // 100 - 1} samples at {rate_hz} Hz" in caught.value.detail
    soundfile.write(tmp_path / "enough.wav", np.full(rate_hz // 100, 0.5), rate_hz)
    assert len(audio.read(tmp_path / "enough.wav").samples) == rate_hz // 100


@pytest.mark.parametrize("value", [8.01, -32_768.0, 1e30, -3e38])
def test_samples_far_beyond_full_scale_are_refused(tmp_path: Path, tone: Samples, value: float) -> None:
    """One in one channel is enough: their power would overflow, or hide all others."""
    both = np.stack([tone, tone], axis=1)
    both[100, 1] = value
    soundfile.write(tmp_path / "wild.wav", both, 8000, subtype="FLOAT")
    with pytest.raises(BadAudioError, match=r"wild\.wav: has samples up to .*, where full scale is 1: scale") as caught:
        audio.read(tmp_path / "wild.wav")
    assert caught.value.reason == "out_of_range"


def test_samples_somewhat_beyond_full_scale_are_kept(tmp_path: Path) -> None:
    """Floats may be."""
    soundfile.write(tmp_path / "loud.wav", np.full((800, 2), [8.0, 4.0], dtype=np.float32), 8000, subtype="FLOAT")
    np.testing.assert_array_equal(audio.read(tmp_path / "loud.wav").samples, 6.0)

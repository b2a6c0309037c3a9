"""Utterances: recordings, their augmented copies, and the hashes of both."""

import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from audiomnist.asr.params import NO_COPIES, TranscribeParams
from audiomnist.asr.utterance import Utterance
from audiomnist.audio import waveform
from audiomnist.audio.augment import AugmentParams, augment, generator
from audiomnist.audio.waveform import BadAudioError
from audiomnist.core import params
from audiomnist.corpus import manifest
from audiomnist.corpus.manifest import Recording

COMMITTED = Path(__file__).parents[3] / "params.yaml"
PARAMS = params.section(COMMITTED, "transcribe", TranscribeParams).augment


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """Write two recordings, at 8 and at 44.1 kHz."""
    for digit, rate_hz in ((3, 8000), (7, 44_100)):
        noise = np.random.default_rng(digit).uniform(-0.5, 0.5, rate_hz // 4)
        soundfile.write(tmp_path / f"{digit}_ada_0.wav", noise, rate_hz, subtype="PCM_16")
    return tmp_path


@pytest.fixture
def recording(raw: Path) -> Recording:
    """Describe the first of them."""
    return manifest.describe_folder(raw).recordings[0]


def test_copy_0_is_the_recording(raw: Path, recording: Recording) -> None:
    """Its samples, untouched, and the hash of its file."""
    sound = Utterance(recording, 0, PARAMS)
    read = waveform.read(raw / recording.file)
    np.testing.assert_array_equal(sound.waveform(raw).samples, read.samples)
    assert sound.waveform(raw).sample_rate_hz == read.sample_rate_hz
    assert sound.sha256 == recording.sha256
    assert Utterance(recording, 0, NO_COPIES).sha256 == recording.sha256


@pytest.mark.parametrize("digit", [3, 7])
def test_a_copy_is_the_recording_augmented_by_its_number_and_content(raw: Path, digit: int) -> None:
    """At the recording's own rate; its name bears on nothing."""
    [recording] = [row for row in manifest.describe_folder(raw).recordings if row.digit == digit]
    read = waveform.read(raw / recording.file)
    for copy in (1, 2):
        rng = generator(PARAMS.seed, recording.sha256, copy)
        made = Utterance(recording, copy, PARAMS).waveform(raw)
        np.testing.assert_array_equal(made.samples, augment(read.samples, read.sample_rate_hz, PARAMS, rng))
        assert made.sample_rate_hz == read.sample_rate_hz
    (raw / "3_bob_9.wav").write_bytes((raw / recording.file).read_bytes())
    renamed = replace(recording, file="3_bob_9.wav")
    np.testing.assert_array_equal(
        Utterance(renamed, 1, PARAMS).waveform(raw).samples, Utterance(recording, 1, PARAMS).waveform(raw).samples
    )
    assert Utterance(renamed, 1, PARAMS).sha256 == Utterance(recording, 1, PARAMS).sha256


def test_every_other_sound_has_another_hash(recording: Recording) -> None:
    """Another number, another content, and each parameter of the augmentation that bears on the sound."""
    changes: list[dict[str, Any]] = [
        {"seed": 1},
        {"tempo": (0.5, 1.25)},
        {"pitch_semitones": (-4.0, 4.5)},
        {"tilt_db_per_octave": (-4.0, 4.5)},
        {"padding_s": (0.0, 0.1)},
        {"reverb_prob": 0.41},
        {"reverb_rt60_s": (0.1, 0.51)},
        {"noise_snr_db": (8.0, 41.0)},
    ]
    assert {name for change in changes for name in change} == AugmentParams.model_fields.keys() - {"copies_per_clip"}
    sounds = [
        *(Utterance(recording, copy, PARAMS) for copy in range(4)),
        *(Utterance(recording, 1, PARAMS.model_copy(update=change)) for change in changes),
        Utterance(replace(recording, sha256="0" * 64), 1, PARAMS),
    ]
    assert len({sound.sha256 for sound in sounds}) == len(sounds)
    assert all(len(sound.sha256) == 64 for sound in sounds)


def test_how_many_copies_there_are_makes_no_copy_another(raw: Path, recording: Recording) -> None:
    """Neither its hash nor its sound."""
    one, other = (Utterance(recording, 1, PARAMS.model_copy(update={"copies_per_clip": copies})) for copies in (1, 50))
    assert one.sha256 == other.sha256
    np.testing.assert_array_equal(one.waveform(raw).samples, other.waveform(raw).samples)


@pytest.mark.parametrize("copy", [0, 1])
def test_an_unusable_recording_raises(raw: Path, recording: Recording, copy: int) -> None:
    """Whether it is asked for itself or for a copy."""
    (raw / recording.file).write_bytes(b"not a sound")
    with pytest.raises(BadAudioError, match=recording.file):
        Utterance(recording, copy, PARAMS).waveform(raw)


def test_a_sound_can_be_handed_to_a_process(recording: Recording) -> None:
    """It is what it was, hash and all."""
    sound = Utterance(recording, 2, PARAMS)
    handed = pickle.loads(pickle.dumps(sound))  # noqa: S301 - a pickle of our own
    assert handed == sound
    assert handed.sha256 == sound.sha256

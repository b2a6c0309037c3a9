"""Takes that are kept, takes that are refused, and their files."""

import threading
from pathlib import Path

import numpy as np
import pytest
import soundfile
from fake_microphone import SAMPLE_RATE_HZ, synthesized

from audiomnist.audio import waveform
from audiomnist.audio.waveform import Samples, Waveform
from audiomnist.core import params
from audiomnist.core.errors import FaultError
from audiomnist.corpus import manifest
from audiomnist.microphone import take as takes
from audiomnist.microphone.take import RecordingError
from audiomnist.validation.bounds import ValidateParams

COMMITTED = Path(__file__).parents[3] / "params.yaml"
SILENCE = np.zeros(SAMPLE_RATE_HZ // 2, np.float32)


def heard(samples: Samples) -> Waveform:
    """Return samples with half a second of silence before and after them, with an offset, as microphones have it."""
    return Waveform(np.concatenate([SILENCE, samples, SILENCE]) + np.float32(0.01), SAMPLE_RATE_HZ)


@pytest.mark.parametrize("digit", range(10))
def test_a_word_is_trimmed_and_at_8_khz(digit: int) -> None:
    """As the recordings of the corpus are, with its level."""
    take = takes.checked(heard(synthesized(digit)))
    assert take.sample_rate_hz == 8000
    assert 0.3 < take.duration_s < 1
    assert abs(float(take.samples.mean())) < 1e-3
    assert np.abs(take.samples).max() == pytest.approx(0.3, rel=0.2)


@pytest.mark.parametrize(
    ("samples", "reason"),
    [
        (np.clip(20 * synthesized(7), -1, 1), "clipped"),
        (synthesized(7)[4000:5500], "too_short"),
        (np.tile(synthesized(7), 6), "too_long"),
        (0.003 * synthesized(7), "silent"),
    ],
    ids=["clipped", "too short", "too long", "silent"],
)
def test_a_bad_take_is_refused_with_the_reason(samples: Samples, reason: str) -> None:
    """And with what to do about it."""
    with pytest.raises(FaultError, match=rf"{reason.replace('_', ' ').replace('silent', 'quiet')}.*\. [A-Z]") as caught:
        takes.checked(heard(samples))
    assert caught.value.reason == reason


def test_what_passes_here_passes_the_gate() -> None:
    """The bounds are inside those of the committed parameters."""
    bounds = params.section(COMMITTED, "validate", ValidateParams).recordings
    assert bounds.min_sample_rate_hz <= takes.SAMPLE_RATE_HZ
    assert bounds.min_duration_s <= takes.MIN_DURATION_S < takes.MAX_DURATION_S <= bounds.max_duration_s
    assert bounds.min_level_dbfs <= takes.MIN_LEVEL_DBFS
    assert bounds.max_clipped_fraction >= takes.MAX_CLIPPED_FRACTION


def test_takes_go_on_after_the_highest(tmp_path: Path, tone: Samples) -> None:
    """Of that digit and speaker; what is there stays, and whoever lists the folder finds recordings of the corpus."""
    take = Waveform(tone, 8000)
    (tmp_path / "7_me_4.wav").write_bytes(b"mine")
    (tmp_path / "notes.txt").touch()
    names = [
        takes.write(take, tmp_path, digit, speaker).name
        for digit, speaker in ((7, "me"), (7, "me"), (8, "me"), (7, "me_2"))
    ]
    assert names == ["7_me_5.wav", "7_me_6.wav", "8_me_0.wav", "7_me_2_0.wav"]
    assert (tmp_path / "7_me_4.wav").read_bytes() == b"mine"
    (tmp_path / "7_me_4.wav").unlink()
    assert [recording.file for recording in manifest.describe_folder(tmp_path).recordings] == sorted(names)
    info = soundfile.info(tmp_path / "7_me_5.wav")
    assert (info.samplerate, info.channels, info.subtype, info.format) == (8000, 1, "PCM_16", "WAV")
    np.testing.assert_allclose(waveform.read(tmp_path / "7_me_5.wav").samples, tone, atol=2**-15)


def test_two_programs_do_not_overwrite_each_other(tmp_path: Path) -> None:
    """Each take of both is there, and nothing else."""
    rng = np.random.default_rng(0)
    sounds = [rng.uniform(-1, 1, 2400).astype(np.float32) for _ in range(20)]

    def write(some: list[Samples]) -> None:
        for samples in some:
            takes.write(Waveform(samples, 8000), tmp_path, 3, "me")

    threads = [threading.Thread(target=write, args=(some,)) for some in (sounds[:10], sounds[10:])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(f"3_me_{take}.wav" for take in range(20))
    written = {round(float(waveform.read(path).samples[0]), 3) for path in tmp_path.iterdir()}
    assert written == {round(float(np.rint(samples[0] * 32768) / 32768), 3) for samples in sounds}


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    """Known before anyone speaks."""
    (tmp_path / "file").touch()
    with pytest.raises(RecordingError, match=r"file/takes cannot be written \(Not a directory\): name another"):
        takes.check_writable(tmp_path / "file" / "takes")


@pytest.mark.parametrize("speaker", ["me", "George.2", "a_b-c"])
def test_a_speaker_is_named_as_in_the_corpus(speaker: str) -> None:
    """Letters, digits and a few signs."""
    takes.check_speaker(speaker)


@pytest.mark.parametrize("speaker", ["", "_me", "../me", "me/you", "m e", "é"])
def test_other_names_are_refused(speaker: str) -> None:
    """They would make other names of files."""
    with pytest.raises(RecordingError, match="is no speaker's name"):
        takes.check_speaker(speaker)

"""The synthetic corpus: its files, and that they depend on nothing but their name and the seed."""

import subprocess
import sys
from pathlib import Path

import espeakng_loader
import numpy as np
import pytest
import soundfile

from audiomnist.corpus import manifest
from audiomnist.corpus.manifest import Recording
from audiomnist.synthesis import corpus as synthetic
from audiomnist.synthesis.corpus import SyntheticParams
from audiomnist.synthesis.espeak import SynthesisError, speak

PARAMS = SyntheticParams(seed=3, takes=2)
IN_ANOTHER_PROCESS = """
import sys
from pathlib import Path
from audiomnist.synthesis.corpus import SyntheticParams, write_corpus
write_corpus(Path(sys.argv[1]), None, SyntheticParams(seed=3, takes=2))
"""


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Recording]]:
    """All voices, two takes of each digit: 120 recordings."""
    folder = tmp_path_factory.mktemp("synthetic")
    return folder, synthetic.write_corpus(folder, None, PARAMS)


def test_every_digit_voice_and_take_is_written_and_described(corpus: tuple[Path, list[Recording]]) -> None:
    """The returned recordings are the files of the folder, sorted, each combination once."""
    folder, recordings = corpus
    speakers = {voice.speaker for voice in synthetic.VOICES}
    expected = {(digit, speaker, take) for digit in range(10) for speaker in speakers for take in range(2)}
    assert {(r.digit, r.speaker, r.take) for r in recordings} == expected
    assert len(recordings) == 120
    assert recordings == sorted(recordings)
    manifest.verify(folder, recordings, str(folder))


def test_files_are_mono_16_bit_wav_at_8_khz_and_of_a_words_length(
    corpus: tuple[Path, list[Recording]],
) -> None:
    """The format is that of the Free Spoken Digit Dataset, and so are the durations."""
    folder, recordings = corpus
    infos = [soundfile.info(folder / recording.file) for recording in recordings]
    formats = {(i.format, i.subtype, i.channels, i.samplerate) for i in infos}
    assert formats == {("WAV", "PCM_16", 1, 8000)}
    assert all(0.14 < i.duration < 1.5 for i in infos)


def test_peaks_lie_between_minus_20_and_minus_1_dbfs_and_differ(
    corpus: tuple[Path, list[Recording]],
) -> None:
    """No recording clips or is too faint, and the level is not the same everywhere."""
    folder, recordings = corpus
    peaks = [np.abs(soundfile.read(folder / recording.file)[0]).max() for recording in recordings]
    peaks_dbfs = 20 * np.log10(peaks)
    assert peaks_dbfs.min() > -20
    assert peaks_dbfs.max() < -1
    assert np.ptp(peaks_dbfs) > 10


def test_no_two_recordings_have_the_same_content(corpus: tuple[Path, list[Recording]]) -> None:
    """Takes and voices differ in their bytes, so that no clip is in training and test set at once."""
    _, recordings = corpus
    assert len({recording.sha256 for recording in recordings}) == len(recordings)


def test_another_process_writes_the_same_bytes(corpus: tuple[Path, list[Recording]], tmp_path: Path) -> None:
    """The same seed gives the same files wherever it runs."""
    subprocess.run([sys.executable, "-c", IN_ANOTHER_PROCESS, str(tmp_path)], check=True)
    assert manifest.describe_folder(tmp_path).recordings == corpus[1]


def test_a_recording_does_not_depend_on_which_others_are_made(
    corpus: tuple[Path, list[Recording]], tmp_path: Path
) -> None:
    """Fewer speakers, in another order, with fewer takes, sound as they do in the whole corpus."""
    speakers = [synthetic.VOICES[4].speaker, synthetic.VOICES[1].speaker]
    recordings = synthetic.write_corpus(tmp_path, speakers, SyntheticParams(seed=3, takes=1))
    assert recordings == [r for r in corpus[1] if r.speaker in speakers and r.take == 0]


def test_another_seed_gives_other_recordings(corpus: tuple[Path, list[Recording]], tmp_path: Path) -> None:
    """No content is shared between two seeds."""
    others = synthetic.write_corpus(tmp_path, [synthetic.VOICES[0].speaker], SyntheticParams(seed=4, takes=1))
    assert not {r.sha256 for r in others} & {r.sha256 for r in corpus[1]}


@pytest.mark.parametrize("voice", ["nowhere", "nowhere+m3", "en-us+nobody"])
def test_a_voice_that_espeak_lacks_is_refused(voice: str) -> None:
    """An unknown language is an error, and so is an unknown variant of a known one."""
    with pytest.raises(SynthesisError, match="no voice"):
        speak("one", voice)


@pytest.mark.parametrize("voice", ["en", "en-us+m3", "en-us+whisper", "en-us+klatt6"])
def test_speaking_leaves_no_trace_in_the_next_utterance(voice: str) -> None:
    """Neither the pitch flutter nor any noise goes on from one utterance to the next."""
    first = speak("seven", voice, seed=1)
    speak("a long interlude", "en-029+f5", rate_wpm=300, pitch=90, pitch_range=10, seed=9)
    again = speak("seven", voice, seed=1)
    np.testing.assert_array_equal(first.samples, again.samples)


def test_speech_is_full_scale_float32_at_22050_hz_and_faster_is_shorter() -> None:
    """The building block returns sound as the rest of the library takes it, and heeds the rate."""
    slow = speak("seven", "en-us", rate_wpm=100)
    fast = speak("seven", "en-us", rate_wpm=250)
    assert slow.sample_rate_hz == 22050
    assert slow.samples.dtype == np.float32
    assert 0.1 < np.abs(slow.samples).max() <= 1
    assert fast.duration_s < slow.duration_s


def test_a_library_that_cannot_be_loaded_is_an_error_of_the_users(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broken installation ends in a sentence that names the file."""
    monkeypatch.setattr(espeakng_loader, "get_library_path", lambda: str(tmp_path / "absent.so"))
    with pytest.raises(SynthesisError, match=r"absent\.so"):
        speak("one", "en")

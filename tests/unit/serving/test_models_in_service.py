"""The models in the scorer, trained on toy digits: its predictions are in the table."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import small_bundles
from inbox_files import encoded, put, put_bad, tone
from runs import FolderConfig, answer, by_path, score

from audiomnist.asr import registry
from audiomnist.asr.params import from_record
from audiomnist.audio import waveform
from audiomnist.corpus.manifest import Recording
from audiomnist.scoring import run
from audiomnist.serving import cascade
from audiomnist.serving import model as inference
from audiomnist.serving.bundle import description as bundle
from audiomnist.serving.predictor import predictor
from audiomnist.synthesis.corpus import SyntheticParams, write_corpus


@pytest.fixture
def config(tmp_path: Path, served: Path) -> FolderConfig:
    """Settings to score an empty inbox with the cnn."""
    (tmp_path / "inbox").mkdir()
    return FolderConfig(tmp_path / "inbox", tmp_path / "table", served / "cnn")


def with_model(config: FolderConfig, model: Path) -> FolderConfig:
    """Return the settings with another model."""
    return FolderConfig(config.inbox, config.table, model)


@pytest.mark.parametrize("model", ["cnn", "rnn"])
def test_models_of_waveforms_recognize_the_digits(config: FolderConfig, served: Path, model: str) -> None:
    """In files of several rates, channels and encodings, and between bad ones."""
    for digit, (rate_hz, subtype) in enumerate([(8000, "PCM_16"), (16_000, "FLOAT"), (44_100, "PCM_24")] * 3):
        sound = np.tile(tone(digit, 0.3, rate_hz)[:, None], 1 + digit % 2)
        put(config.inbox / f"{rate_hz}", f"{digit}.wav", encoded(sound, rate_hz, subtype))
    put(config.inbox, "9.flac", encoded(tone(9), container="FLAC"))
    put_bad(config.inbox, 40)
    summary = score(with_model(config, served / model))
    assert (summary.scored, summary.rejected, summary.model) == (10, 40, model)
    digits = {path: row["digit"] for path, row in by_path(config.table).items() if row["status"] == "scored"}
    assert digits == {path: int(Path(path).stem) for path in digits}
    assert summary.by_label == {str(digit): 1 for digit in range(10)}


@pytest.mark.parametrize("model", ["cnn", "rnn"])
@pytest.mark.parametrize("rate_hz", [4000, 8000, 192_000])
def test_sounds_of_any_accepted_length_are_scored(config: FolderConfig, served: Path, model: str, rate_hz: int) -> None:
    """From two windows to ten times the longest input of the model, silence at the ends included."""
    for seconds in (0.05, 0.1, 1.0, 1.001, 10.0):
        noise = np.random.default_rng(0).normal(0, 0.1, round(seconds * rate_hz))
        put(config.inbox, f"{seconds}.wav", encoded(noise, rate_hz))
    put(config.inbox, "ends.wav", encoded(np.pad(tone(3, 0.3, rate_hz), rate_hz), rate_hz))
    score(with_model(config, served / model))
    found = by_path(config.table)
    assert {row["status"] for row in found.values()} == {"scored"}
    for row in found.values():
        assert answer(row).sum() == pytest.approx(1, abs=1e-5)
        assert row["confidence"] == pytest.approx(answer(row).max())
        assert np.isfinite(row["ood_score"])


@pytest.mark.long
@pytest.mark.parametrize("model", ["rnn"])
def test_labels_depend_neither_on_workers_nor_on_chunks_nor_on_the_order_of_files(
    config: FolderConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: str
) -> None:
    """A model forms batches by length: the other files do not change the predictions."""
    bundle = small_bundles.write(model, tmp_path / "model")
    for number in range(120):
        noise = np.random.default_rng(number).normal(0, 0.1, 800 + 97 * number % 7000)
        put(config.inbox, f"{number:03}.wav", encoded(noise))
    first: dict[str, Any] = {}
    for workers, chunk in ((1, 512), (1, 7), (2, 30), (3, 1)):
        monkeypatch.setitem(run._CHUNK_FILES, "waveform", chunk)  # noqa: SLF001 - no option sets it
        table = tmp_path / f"{workers}-{chunk}"
        summary = score(FolderConfig(config.inbox, table, bundle, workers=workers, batch_size=50))
        assert summary.scored == 120
        found = by_path(table)
        first = first or found
        for path, row in found.items():
            assert row["digit"] == first[path]["digit"]
            np.testing.assert_allclose(answer(row), answer(first[path]), rtol=0, atol=1e-4)
            assert row["ood_score"] == pytest.approx(first[path]["ood_score"], abs=1e-3)
    for number in range(120):
        (config.inbox / f"{number:03}.wav").rename(config.inbox / f"{(number * 77 + 5) % 120:03}-again.wav")
    score(FolderConfig(config.inbox, tmp_path / "renamed", bundle))
    for row in by_path(tmp_path / "renamed").values():
        (same,) = [other for other in first.values() if other["content_sha256"] == row["content_sha256"]]
        assert row["digit"] == same["digit"]


def put_spoken(inbox: Path, folder: Path) -> list[Recording]:
    """Put the ten digits of a synthetic voice into an inbox; return what they are."""
    (folder / "spoken").mkdir()
    spoken = write_corpus(folder / "spoken", ["beatrice"], SyntheticParams(seed=0, takes=1))
    for recording in spoken:
        put(inbox, recording.file, (folder / "spoken" / recording.file).read_bytes())
    return spoken


@pytest.fixture
def transcript_bundle(served: Path, tmp_path: Path) -> Path:
    """The lstm, which knows the words of the digits, with Whisper as its recognizer."""
    folder = Path(shutil.copytree(served / "lstm", tmp_path / "lstm"))
    path = folder / bundle.DESCRIPTION
    content = json.loads(path.read_text(encoding="utf-8"))
    content["input"]["recognizer"] = small_bundles.WHISPER
    path.write_text(json.dumps(content), encoding="utf-8")
    return folder


def test_the_model_of_transcripts_scores_recognized_speech(
    config: FolderConfig, transcript_bundle: Path, tmp_path: Path
) -> None:
    """Spoken digits, through the speech recognizer: in a batch as each by hand."""
    spoken = put_spoken(config.inbox, tmp_path)
    put_bad(config.inbox, 20)
    summary = score(with_model(config, transcript_bundle))
    assert (summary.found, summary.scored, summary.rejected, summary.model) == (30, 10, 20, "lstm")
    recognizer = registry.load(from_record(small_bundles.WHISPER))
    model = inference.load(transcript_bundle, threads=1)
    found = by_path(config.table)
    for recording in spoken:
        (recognition,) = recognizer.recognize([waveform.read(config.inbox / recording.file)])
        expected = model.predict_texts([[hypothesis.text for hypothesis in recognition.hypotheses]])
        np.testing.assert_allclose(answer(found[recording.file]), expected.probabilities[0], rtol=0, atol=1e-5)
    assert sum(found[recording.file]["digit"] == recording.digit for recording in spoken) >= 5


def test_the_model_of_log_probabilities_scores_first_tokens(config: FolderConfig, served: Path, tmp_path: Path) -> None:
    """Spoken digits, through Whisper: in a batch as each by hand."""
    spoken = put_spoken(config.inbox, tmp_path)
    put_bad(config.inbox, 20)
    summary = score(with_model(config, served / "whisper"))
    assert (summary.found, summary.scored, summary.rejected, summary.model) == (30, 10, 20, "whisper")
    predict = predictor(inference.load(served / "whisper", threads=1))
    found = by_path(config.table)
    for recording in spoken:
        [expected] = predict([waveform.read(config.inbox / recording.file)])
        assert expected is not None
        np.testing.assert_allclose(answer(found[recording.file]), expected.probabilities, rtol=0, atol=1e-5)
        assert expected.asr_token


def test_a_cascade_scores_with_one_model_or_both(config: FolderConfig, served: Path, tmp_path: Path) -> None:
    """The tones of its first model, and speech, which is strange to that: in a chunk as each by itself."""
    put_spoken(config.inbox, tmp_path)
    for digit in range(10):
        put(config.inbox, f"tone-{digit}.wav", encoded(tone(digit, 0.3)))
    put_bad(config.inbox, 10)
    summary = score(with_model(config, served / "cascade"))
    assert (summary.found, summary.scored, summary.rejected, summary.model) == (30, 20, 10, "cascade")
    rows = by_path(config.table)
    predict = predictor(cascade.load(served / "cascade", threads=1))
    for path, row in rows.items():
        if row["status"] == "rejected":
            assert (row["answered_by"], row["asr_token"]) == (None, None)
            continue
        [alone] = predict([waveform.read(config.inbox / path)])
        assert alone is not None
        assert (row["answered_by"], row["asr_token"]) == (alone.answered_by, alone.asr_token)
        assert (row["asr_token"] is not None) == (row["answered_by"] == "cnn+whisper")
        np.testing.assert_allclose(answer(row), alone.probabilities, rtol=0, atol=1e-5)
    assert {row["answered_by"] for row in rows.values()} == {None, "cnn", "cnn+whisper"}

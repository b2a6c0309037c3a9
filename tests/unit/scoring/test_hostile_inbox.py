"""Inboxes full of what should not be there: each file is scored or rejected by itself, for what it is."""

import csv
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import small_bundles
import soundfile
import wav_mutations
from inbox_files import BAD, CHANNELS, ENCODINGS, RATES_HZ, encoded, put, put_bad, put_good, tone
from runs import FolderConfig, Row, answer, assert_same_answers, audiomnist, by_path, score

from audiomnist.audio.waveform import Waveform
from audiomnist.scoring.inbox import paths
from audiomnist.scoring.table.schema import REASONS
from audiomnist.serving import model as inference

STRANGE_NAMES = [
    b"a\nb.wav",
    "naïve 🎤.wav".encode(),
    b"caf\xe9 \xff.wav",
    b"n" * 251 + b".wav",
    b"--help",
    b"-",
    b"a\\b\\x41.wav",
    b"\x1b[2J\x1b]0;title\x07\r.wav",
    "\u202egpj.wav".encode(),
    "\u0085\u2028.wav".encode(),
    b"=1+1.wav",
    b"[bold]:bomb:.wav",
    b" ",
    b'"quoted", twice".wav',
]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model."""
    return small_bundles.write("rnn", tmp_path_factory.mktemp("bundle"))


@pytest.fixture
def config(bundle: Path, tmp_path: Path) -> FolderConfig:
    """Settings for an empty inbox and a table that does not exist yet."""
    (tmp_path / "inbox").mkdir()
    return FolderConfig(tmp_path / "inbox", tmp_path / "table", bundle)


def undisturbed(config: FolderConfig) -> dict[str, Row]:
    """Score what is in the inbox, into another table; return the rows by path."""
    apart = replace(config, table=config.table.with_name("apart"))
    score(apart)
    return by_path(apart.table)


def test_there_is_a_bad_file_for_every_reason_that_content_can_have() -> None:
    """And no reason that is not documented."""
    assert {reason for reason, _ in BAD.values()} == REASONS.keys()


@pytest.mark.parametrize(("good", "bad", "workers"), [(200, 36, 2), pytest.param(800, 80, 1, marks=pytest.mark.long)])
def test_bad_files_are_rejected_with_their_reasons_and_the_good_ones_are_scored(
    config: FolderConfig, good: int, bad: int, workers: int
) -> None:
    """All of them, each with the answer that it has without bad ones beside it."""
    digits = put_good(config.inbox, good)
    expected = undisturbed(config)
    reasons = put_bad(config.inbox, bad)
    summary = score(replace(config, workers=workers))
    assert (summary.found, summary.scored, summary.rejected) == (good + bad, good, bad)
    assert sum(summary.by_reason.values()) == bad
    found = by_path(config.table)
    assert {path: row["reason"] for path, row in found.items() if row["status"] == "rejected"} == reasons
    assert_same_answers({path: found[path] for path in digits}, expected)


def test_files_of_every_accepted_kind_have_the_models_answer_to_their_sound(config: FolderConfig) -> None:
    """Encodings, rates and numbers of channels in the row are those of the file; libsndfile is the reference."""
    files = put_good(config.inbox, len(ENCODINGS) * len(CHANNELS))
    assert score(config).scored == len(files)
    found = by_path(config.table)
    assert {row["sample_rate_hz"] for row in found.values()} == set(RATES_HZ)
    assert {row["channels"] for row in found.values()} == set(CHANNELS)
    model = inference.load(config.model, threads=1)
    for name, row in found.items():
        samples, rate_hz = soundfile.read(config.inbox / name, dtype="float32", always_2d=True)
        assert (row["sample_rate_hz"], row["channels"]) == (rate_hz, samples.shape[1])
        assert row["duration_s"] == len(samples) / rate_hz
        assert row["peak"] == pytest.approx(np.abs(samples).max())
        prepared = model.prepare(Waveform(samples.mean(axis=1), rate_hz))
        expected = model.predict_waveforms([prepared]).probabilities[0]
        np.testing.assert_allclose(answer(row), expected, rtol=0, atol=1e-4, err_msg=name)


@pytest.mark.parametrize("count", [300, pytest.param(2_000, marks=pytest.mark.long)])
def test_mutated_headers_disturb_nobody(config: FolderConfig, count: int) -> None:
    """Each file is scored or rejected, none is deferred; the good ones have the answers that they have alone."""
    put_good(config.inbox, 40)
    expected = undisturbed(config)
    originals = wav_mutations.originals(1601)
    for number, content in enumerate(wav_mutations.mutated(originals, count, seed=count)):
        put(config.inbox, f"good-{number % 40:04}-{number}.wav", content)
    summary = score(config)
    assert summary.found == count + 40 == summary.scored + summary.rejected
    assert summary.scored > 40
    assert summary.rejected > count / 2
    found = by_path(config.table)
    assert_same_answers({path: found[path] for path in expected}, expected)
    assert set(summary.by_reason) <= REASONS.keys()


def test_strange_names_have_rows_and_are_shown_safely(config: FolderConfig, tmp_path: Path) -> None:
    """Good and bad files; what the terminal gets has no character that it would obey, and CSV is read back."""
    for number, name in enumerate(STRANGE_NAMES):
        put(config.inbox, name, encoded(tone(number % 10, seed=number)))
        put(config.inbox / "bad", name, b"no sound")
    rows_csv = tmp_path / "rows.csv"
    options = ("--into", config.table, "--model", config.model, "--workers", 1, "--csv", rows_csv)
    ended = audiomnist("score", config.inbox, *options)
    assert ended.status == 0
    expected = {paths.text(prefix + name) for name in STRANGE_NAMES for prefix in (b"", b"bad/")}
    found = by_path(config.table)
    assert found.keys() == expected
    assert all(row["status"] == ("rejected" if path.startswith("bad/") else "scored") for path, row in found.items())
    with rows_csv.open(newline="", encoding="utf-8") as file:
        exported = [row["path"] for row in csv.DictReader(file)]
    assert sorted(exported) == sorted(map(harmless, expected))
    shown = audiomnist("table", "show", config.table, "--rows", 100)
    for text in (ended.err, shown.out):
        assert all(character.isprintable() or character == "\n" for character in text)
    assert "a\\nb.wav" in shown.out
    assert "[bold]:bomb:.wav" in ended.err
    assert "[bold]:bomb:.wav" in shown.out


def harmless(path: str) -> str:
    """Return a path as written in CSV, where no text begins as a formula does."""
    return f"\\x{ord(path[0]):02x}{path[1:]}" if path[0] in "=-" else path


def test_a_name_gives_back_the_bytes_of_the_file_system(config: FolderConfig) -> None:
    """So that a program finds the file of a row."""
    for name in STRANGE_NAMES:
        put(config.inbox, name, encoded(tone(3)))
    score(config)
    assert {paths.text(os.fsencode(path.name)) for path in config.inbox.iterdir()} == by_path(config.table).keys()

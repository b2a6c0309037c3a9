"""Scoring a folder: each file for itself, the table whole or not at all, and what the command says."""

import csv
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click import unstyle
from typer.testing import CliRunner

from audiomnist import cli
from audiomnist.audio import Waveform
from audiomnist.bundle import BundleError
from audiomnist.corpus.dataset import DIGIT_WORDS
from audiomnist.recognition import Hypothesis, Recognition, RecognitionError, engines
from audiomnist.recognition.params import TranscribeParams
from audiomnist.scoring import predictor
from audiomnist.scoring.folder import Counts, InboxError, score_folder
from audiomnist.scoring.predictor import Predictor

COLUMNS = ["path", "status", "digit", "confidence", "reason", "message", "model", "model_version", "dataset"]
COMMANDS = ("score", "results", "manifest", "quickstart")
PITCHES_HZ = {digit: 200 * 1.2**digit for digit in range(10)}


def tone(digit: int, seconds: float = 0.3, rate_hz: int = 8000) -> np.ndarray:
    """Return what the toy models know as a digit."""
    time_s = np.arange(round(rate_hz * seconds)) / rate_hz
    sound = sum(np.sin(2 * np.pi * PITCHES_HZ[digit] * harmonic * time_s) / harmonic for harmonic in (1, 2, 3))
    return np.asarray(0.2 * sound * np.minimum(1, np.minimum(time_s, time_s[::-1]) / 0.02))


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    """Write ten recordings into a folder and one below it."""
    folder = tmp_path / "inbox"
    (folder / "deep" / "er").mkdir(parents=True)
    for digit in range(10):
        place = folder / "deep" / "er" if digit % 2 else folder
        soundfile.write(place / f"{digit}.wav", tone(digit), 8000, subtype="PCM_16")
    return folder


def spoil(folder: Path) -> dict[str, str]:
    """Add files that cannot be scored; return the reason for each."""
    whole = (folder / "4.wav").read_bytes()
    soundfile.write(folder / "none.wav", np.zeros(0), 8000, subtype="PCM_16")
    soundfile.write(folder / "short.wav", tone(4)[:79], 8000, subtype="PCM_16")
    for name, sample in (("nan.wav", np.nan), ("infinite.wav", np.inf)):
        soundfile.write(folder / name, np.append(tone(4), sample), 8000, subtype="FLOAT")
    (folder / "text.wav").write_text("not a sound", encoding="utf-8")
    (folder / "nothing.wav").touch()
    (folder / "headless.wav").write_bytes(whole[44:])
    (folder / "cut.wav").write_bytes(whole[:30])
    unreadable = dict.fromkeys(("text.wav", "nothing.wav", "headless.wav", "cut.wav"), "unreadable")
    return unreadable | {
        "none.wav": "empty",
        "short.wav": "too_short",
        "nan.wav": "not_finite",
        "infinite.wav": "not_finite",
    }


def scored(folder: Path, model: Path, target: Path) -> list[dict[str, str]]:
    """Score a folder; return the rows of the table."""
    score_folder(folder, model, target)
    return read(target)


def read(target: Path) -> list[dict[str, str]]:
    """Return the rows of a table."""
    with target.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("model", ["cnn", "rnn"])
def test_every_recording_has_its_row(model: str, inbox: Path, trained: Path, tmp_path: Path) -> None:
    """Of nested folders too, ordered by path, with label, confidence and provenance."""
    rows = scored(inbox, trained / model, tmp_path / "rows.csv")
    assert list(rows[0]) == COLUMNS
    assert [row["path"] for row in rows] == sorted(str(path) for path in inbox.rglob("*.wav"))
    assert [row["digit"] for row in rows] == [Path(row["path"]).stem for row in rows]
    assert {row["status"] for row in rows} == {"scored"}
    assert all(0.1 <= float(row["confidence"]) <= 1 for row in rows)
    assert {(row["model"], row["dataset"]) for row in rows} == {(model, "tones")}
    assert {row["model_version"] for row in rows} == {Predictor(trained / model).model.version}


def test_a_bad_file_is_rejected_with_its_reason_and_harms_no_other(inbox: Path, trained: Path, tmp_path: Path) -> None:
    """The good files' rows are those that they have without bad ones beside them."""
    before = scored(inbox, trained / "cnn", tmp_path / "before.csv")
    reasons = spoil(inbox)
    after = scored(inbox, trained / "cnn", tmp_path / "after.csv")
    good = [row for row in after if row["status"] == "scored"]
    bad = {Path(row["path"]).name: row for row in after if row["status"] == "rejected"}
    assert [(row["path"], row["digit"]) for row in good] == [(row["path"], row["digit"]) for row in before]
    confidences = [[float(row["confidence"]) for row in rows] for rows in (before, good)]
    assert confidences[0] == pytest.approx(confidences[1], abs=1e-5)
    assert {name: row["reason"] for name, row in bad.items()} == reasons
    for name, row in bad.items():
        assert name in row["message"]
        assert (row["digit"], row["confidence"]) == ("", "")


def test_a_folder_of_nothing_but_bad_files_is_scored_too(tmp_path: Path, trained: Path) -> None:
    """Each is rejected."""
    (tmp_path / "inbox").mkdir()
    for name in ("a.wav", "b.wav"):
        (tmp_path / "inbox" / name).write_bytes(b"RIFF")
    assert score_folder(tmp_path / "inbox", trained / "cnn", tmp_path / "rows.csv") == Counts(scored=0, rejected=2)


@pytest.mark.parametrize("seconds", [0.01, 0.0251, 5.0])
@pytest.mark.parametrize("rate_hz", [8000, 44_100])
def test_recordings_of_any_length_are_scored(seconds: float, rate_hz: int, trained: Path, tmp_path: Path) -> None:
    """From less than a window to more than the model hears."""
    (tmp_path / "inbox").mkdir()
    noise = np.random.default_rng(0).normal(0, 0.1, round(seconds * rate_hz))
    soundfile.write(tmp_path / "inbox" / "a.wav", noise, rate_hz, subtype="PCM_16")
    (row,) = scored(tmp_path / "inbox", trained / "rnn", tmp_path / "rows.csv")
    assert row["status"] == "scored"
    assert 0.1 <= float(row["confidence"]) <= 1


def test_only_wav_files_are_looked_at(inbox: Path, trained: Path, tmp_path: Path) -> None:
    """Whatever the case of the suffix; neither other files nor folders of that name."""
    (inbox / "9.txt").write_text("nine", encoding="utf-8")
    (inbox / "folder.wav").mkdir()
    (inbox / "0.wav").rename(inbox / "0.WAV")
    rows = scored(inbox, trained / "cnn", tmp_path / "rows.csv")
    assert len(rows) == 10
    assert str(inbox / "0.WAV") in {row["path"] for row in rows}


def test_an_empty_folder_gives_a_table_without_rows(tmp_path: Path, trained: Path) -> None:
    """It has its header."""
    (tmp_path / "inbox").mkdir()
    assert score_folder(tmp_path / "inbox", trained / "cnn", tmp_path / "rows.csv") == Counts(scored=0, rejected=0)
    assert (tmp_path / "rows.csv").read_text(encoding="utf-8") == ",".join(COLUMNS) + "\n"


@pytest.mark.parametrize("place", ["absent", "file.wav"])
def test_what_is_no_folder_cannot_be_scored(place: str, tmp_path: Path, trained: Path) -> None:
    """The error names it, and no table appears."""
    (tmp_path / "file.wav").touch()
    with pytest.raises(InboxError, match=place):
        score_folder(tmp_path / place, trained / "cnn", tmp_path / "rows.csv")
    assert not (tmp_path / "rows.csv").exists()


@pytest.mark.parametrize("model", ["cnn", "rnn"])
@pytest.mark.parametrize("batch_files", [1, 3, 64])
def test_the_answers_do_not_depend_on_the_size_of_the_batch(
    model: str, batch_files: int, inbox: Path, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Labels are equal, confidences equal up to float32 sums, and bad files stay in their places."""
    spoil(inbox)
    soundfile.write(inbox / "long.wav", tone(6, 0.9), 8000, subtype="PCM_16")
    expected = scored(inbox, trained / model, tmp_path / "expected.csv")
    monkeypatch.setattr(predictor, "_BATCH_FILES", batch_files)
    rows = scored(inbox, trained / model, tmp_path / "rows.csv")
    for row, other in zip(rows, expected, strict=True):
        assert float(row.pop("confidence") or 0) == pytest.approx(float(other.pop("confidence") or 0), abs=1e-5)
        assert row == other


class Parrot:
    """A recogniser that knows the toy digits by their pitch; it goes deaf after `limit` clips."""

    engine = "sphinx"
    version = "parrot"
    weights_sha256 = None

    def __init__(self, limit: int = 1000) -> None:
        self.limit = limit

    def recognise(self, waveforms: Sequence[Waveform]) -> list[Recognition]:
        """Return the word of each."""
        return [self._heard(waveform) for waveform in waveforms]

    def _heard(self, waveform: Waveform) -> Recognition:
        self.limit -= 1
        if self.limit < 0:
            raise RecognitionError("the parrot has flown away")
        spectrum = np.abs(np.fft.rfft(waveform.samples))
        pitch_hz = spectrum.argmax() * waveform.sample_rate_hz / len(waveform.samples)
        digit = min(PITCHES_HZ, key=lambda digit: abs(PITCHES_HZ[digit] - pitch_hz))
        return Recognition.of([Hypothesis(DIGIT_WORDS[digit], -0.1)], 0.0)


def parrot(monkeypatch: pytest.MonkeyPatch, limit: int = 1000) -> list[TranscribeParams]:
    """Put the parrot in the place of the recogniser; return what it is asked to be."""
    asked: list[TranscribeParams] = []

    def load(params: TranscribeParams) -> Parrot:
        asked.append(params)
        return Parrot(limit)

    monkeypatch.setitem(dict_of_engines(), "sphinx", load)
    return asked


def dict_of_engines() -> dict[str, engines.Loader]:
    """Return the table of recognisers, to be changed for a test."""
    assert isinstance(engines.ENGINES, dict)
    return engines.ENGINES


def test_a_model_of_transcripts_hears_through_its_recogniser(
    inbox: Path, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one that its bundle names, with the settings that it was trained with."""
    asked = parrot(monkeypatch)
    reasons = spoil(inbox)
    rows = scored(inbox, trained / "lstm", tmp_path / "rows.csv")
    labelled = [row for row in rows if row["status"] == "scored"]
    assert [row["digit"] for row in labelled] == [Path(row["path"]).stem for row in labelled]
    assert len(rows) == 10 + len(reasons)
    assert [(params.engine, params.hypotheses) for params in asked] == [("sphinx", 5)]


def test_an_interrupted_run_leaves_the_table_as_it_was(
    inbox: Path, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After four rows of ten, the old table stands there, whole, and no other file."""
    parrot(monkeypatch, limit=4)
    monkeypatch.setattr(predictor, "_BATCH_FILES", 1)
    (tmp_path / "tables").mkdir()
    target = tmp_path / "tables" / "rows.csv"
    target.write_text("yesterday's", encoding="utf-8")
    with pytest.raises(RecognitionError):
        score_folder(inbox, trained / "lstm", target)
    assert target.read_text(encoding="utf-8") == "yesterday's"
    assert list(target.parent.iterdir()) == [target]


def test_an_interrupted_run_leaves_no_table_where_there_was_none(
    inbox: Path, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whole or not at all."""
    parrot(monkeypatch, limit=4)
    with pytest.raises(RecognitionError):
        score_folder(inbox, trained / "lstm", tmp_path / "tables" / "rows.csv")
    assert list((tmp_path / "tables").iterdir()) == []


def test_an_unusable_model_leaves_no_table(inbox: Path, tmp_path: Path) -> None:
    """Nor does it read a recording."""
    with pytest.raises(BundleError):
        score_folder(inbox, tmp_path / "no_model", tmp_path / "rows.csv")
    assert not (tmp_path / "rows.csv").exists()


def command(*arguments: str, cwd: Path | None = None) -> tuple[int, str, str]:
    """Run the command as a user does; return status, output and errors."""
    program = [sys.executable, "-m", "audiomnist", *arguments]
    env = os.environ | {"PYTHONPATH": str(Path(cli.__file__).parents[1])}
    done = subprocess.run(program, capture_output=True, text=True, check=False, cwd=cwd, env=env, timeout=60)
    return done.returncode, done.stdout, done.stderr


def test_the_command_says_how_many_were_scored_and_ends_with_0(inbox: Path, trained: Path, tmp_path: Path) -> None:
    """Rejected files are no failure of the run."""
    spoil(inbox)
    target = tmp_path / "rows.csv"
    status, out, errors = command("score", str(inbox), "--csv", str(target), "--model", str(trained / "cnn"))
    assert (status, errors) == (0, "")
    assert out.splitlines()[-1] == f"10 scored, 8 rejected: {target}"
    assert len(read(target)) == 18


def test_the_command_ends_with_1_where_the_folder_is_absent(trained: Path, tmp_path: Path) -> None:
    """A sentence, no traceback."""
    arguments = ("score", str(tmp_path / "absent"), "--csv", str(tmp_path / "rows.csv"))
    status, _, errors = command(*arguments, "--model", str(trained / "cnn"))
    assert status == 1
    assert errors == (f"audiomnist: {tmp_path / 'absent'} is no folder: name the one that holds the recordings\n")


def test_the_command_ends_with_4_where_the_model_is_unusable(inbox: Path, tmp_path: Path) -> None:
    """The default model stands in models/selected of the working folder; a sentence says that it does not."""
    status, _, errors = command("score", str(inbox), "--csv", str(tmp_path / "rows.csv"), cwd=tmp_path)
    assert status == cli.MODEL_UNUSABLE == 4
    assert errors.startswith("audiomnist score: no model bundle in models/selected")
    assert "Traceback" not in errors
    assert not (tmp_path / "rows.csv").exists()


def test_the_command_ends_with_4_where_the_recogniser_is_unusable(
    inbox: Path, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model of transcripts without its recogniser cannot be used either."""
    parrot(monkeypatch, limit=0)
    target = tmp_path / "rows.csv"
    done = CliRunner().invoke(cli.app, ["score", str(inbox), "--csv", str(target), "--model", str(trained / "lstm")])
    assert done.exit_code == 4
    assert "audiomnist score: the parrot has flown away" in done.output
    assert not target.exists()


def test_the_command_without_a_target_is_a_usage_error(inbox: Path) -> None:
    """Status 2, as for every mistake in the options."""
    done = CliRunner().invoke(cli.app, ["score", str(inbox)])
    assert done.exit_code == 2
    assert "--csv" in unstyle(done.output)


def test_help_names_every_command() -> None:
    """With the module as with the script."""
    status, out, errors = command("--help")
    assert (status, errors) == (0, "")
    assert all(name in unstyle(out) for name in COMMANDS)
    assert {info.name or getattr(info.callback, "__name__", "") for info in cli.app.registered_commands} >= set(
        COMMANDS
    )


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name: str) -> None:
    """It says how it is used."""
    done = CliRunner().invoke(cli.app, [name, "--help"])
    assert done.exit_code == 0
    assert f"{name} [OPTIONS]" in unstyle(done.output)

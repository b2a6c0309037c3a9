"""Scoring of files: each is scored, rejected with a reason, or deferred, and none affects another."""

import hashlib
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from inbox_files import BAD, SETTLED_NS, encoded, put, put_bad, tone, wave
from runs import RUN_COLUMNS, Row, answer, folder_of, rows_of

from audiomnist.audio.waveform import Waveform
from audiomnist.scoring.decoding import checks
from audiomnist.scoring.inbox import discover
from audiomnist.scoring.inbox.discover import Candidate, Unusable
from audiomnist.scoring.inbox.inbox import Folder
from audiomnist.scoring.workers import scorer
from audiomnist.scoring.workers.scorer import ScoredChunk, Scorer, ScoringTask
from audiomnist.serving.predictor import Prediction

FAILING_S = 0.777
SURENESS = float(np.float32(0.91))


class Loudness:
    """Predicts the peak of a clip, a digit per tenth of full scale, and fails on clips of `FAILING_S`."""

    def __init__(self) -> None:
        self.batches: list[list[float]] = []

    def __call__(self, waveforms: Sequence[Waveform]) -> list[Prediction | None]:
        """Prediction clips; their durations are noted."""
        self.batches.append([clip.duration_s for clip in waveforms])
        return [None if clip.duration_s == FAILING_S else self._answer(clip) for clip in waveforms]

    def _answer(self, clip: Waveform) -> Prediction:
        probabilities = np.full(10, 0.01, dtype=np.float32)
        probabilities[int(10 * np.abs(clip.samples).max())] = SURENESS
        return Prediction(probabilities, clip.duration_s, "cnn")

    @property
    def clips(self) -> int:
        """Number of clips."""
        return sum(map(len, self.batches))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An inbox."""
    (tmp_path / "inbox").mkdir()
    return tmp_path / "inbox"


@pytest.fixture
def predictor() -> Loudness:
    """The model's part, which is another's concern."""
    return Loudness()


def loud(level: float, seconds: float = 0.3, seed: int = 0) -> bytes:
    """Return a WAVE file whose peak is a level."""
    noise = np.random.default_rng(seed).uniform(-1, 1, round(8000 * seconds))
    return encoded(level * noise / np.abs(noise).max())


def task(folder: Path, **changes: Any) -> ScoringTask:
    """Return a task."""
    return replace(ScoringTask(Folder(folder), folder / "no bundle", RUN_COLUMNS["model_version"], 0.0), **changes)


def candidates(folder: Path) -> list[Candidate | Unusable]:
    """Return what gets a row in a folder."""
    return [item for item in discover.discover(folder) if isinstance(item, Candidate | Unusable)]


def scored(
    the_task: ScoringTask, predictor: Loudness, files: Sequence[Candidate | Unusable] | None = None
) -> ScoredChunk:
    """Score some files, or all of the inbox."""
    return Scorer(the_task, predictor).score(candidates(folder_of(the_task)) if files is None else files)


def by_path(done: ScoredChunk) -> dict[str, Row]:
    """Return the rows."""
    return {row["path"]: row for row in rows_of(done)}


def deferred(done: ScoredChunk) -> dict[str, str]:
    """Return the reason for each deferred file."""
    return {item.path.decode(): item.reason for item in done.deferred}


def test_every_column_of_a_row(folder: Path, predictor: Loudness) -> None:
    """Every column."""
    content = encoded(np.tile(tone(3, 0.25, 16_000)[:, None], 2), 16_000)
    put(folder / "deep", "3.wav", content)
    (row,) = rows_of(scored(task(folder), predictor))
    del row["scored_at"]
    samples = np.frombuffer(content[44:], "<i2") / 32768
    digit = int(10 * np.abs(samples).max())
    assert answer(row) == pytest.approx([0.91 if number == digit else 0.01 for number in range(10)])
    assert {name: value for name, value in row.items() if not name.startswith("p") or name in {"path", "peak"}} == {
        "path": "deep/3.wav",
        "content_sha256": hashlib.sha256(content).hexdigest(),
        "size_bytes": len(content),
        "modified_ns": SETTLED_NS,
        "status": "scored",
        "digit": digit,
        "confidence": pytest.approx(0.91),
        "ood_score": 0.25,
        "reason": None,
        "message": None,
        "answered_by": "cnn",
        "etag": None,
        "asr_token": None,
        "duration_s": 0.25,
        "sample_rate_hz": 16_000,
        "channels": 2,
        "peak": pytest.approx(np.abs(samples).max()),
        **RUN_COLUMNS,
    }


def test_rows_come_in_the_order_of_the_files(folder: Path, predictor: Loudness) -> None:
    """One batch; each has its processing time."""
    for level, seconds in ((1, 0.9), (2, 0.1), (3, 0.5), (4, 0.3)):
        put(folder, f"{level}.wav", loud(level / 10 + 0.05, seconds))
    files = candidates(folder)[::-1]
    done = scored(task(folder), predictor, files)
    assert [result.info.path for result in done.results] == ["4.wav", "3.wav", "2.wav", "1.wav"]
    assert [result.outcome.digit for result in done.results] == [4, 3, 2, 1]
    assert predictor.batches == [[0.3, 0.5, 0.1, 0.9]]
    assert min(result.seconds for result in done.results) > 0


def test_equal_contents_have_equal_answers_and_rows_of_their_own(folder: Path, predictor: Loudness) -> None:
    """Each file under its own name and time; so it is with contents that are rejected."""
    for name in ("a.wav", "deep/b.wav"):
        put(folder, name, loud(0.35), modified_ns=SETTLED_NS + len(name))
    for name in ("c.wav", "d.wav"):
        put(folder, name, b"no sound")
    rows = by_path(scored(task(folder), predictor))
    assert {path: row["digit"] for path, row in rows.items()} == {
        "a.wav": 3,
        "deep/b.wav": 3,
        "c.wav": None,
        "d.wav": None,
    }
    assert rows["a.wav"]["content_sha256"] == rows["deep/b.wav"]["content_sha256"]
    assert rows["deep/b.wav"]["modified_ns"] == SETTLED_NS + 10
    assert rows["d.wav"]["message"].startswith("d.wav: ")


@pytest.mark.parametrize(
    ("least", "status", "digit"),
    [(0.0, "scored", 5), (0.9, "scored", 5), (SURENESS, "scored", 5), (0.92, "abstained", None)],
)
def test_an_unsure_label_is_withheld_and_the_probabilities_are_not(
    folder: Path, predictor: Loudness, least: float, status: str, digit: int | None
) -> None:
    """Who reads the table may think otherwise."""
    put(folder, "5.wav", loud(0.55))
    row = by_path(scored(task(folder, min_confidence=least), predictor))["5.wav"]
    assert (row["status"], row["digit"]) == (status, digit)
    assert row["confidence"] == pytest.approx(0.91)
    assert answer(row).sum() == pytest.approx(1)


def test_every_bad_file_has_its_reason_and_harms_no_other(folder: Path, predictor: Loudness) -> None:
    """Its sentence names the file; it has neither label nor probabilities; the good ones are scored."""
    reasons = put_bad(folder, len(BAD))
    put(folder, "5.wav", loud(0.55))
    done = scored(task(folder), predictor)
    rows = by_path(done)
    assert rows.pop("5.wav")["digit"] == 5
    assert {path: row["reason"] for path, row in rows.items()} == reasons
    for path, row in rows.items():
        assert row["message"].startswith(f"{path}: ")
        assert row["status"] == "rejected"
        assert (row["digit"], row["confidence"], row["ood_score"]) == (None, None, None)
        assert np.isnan(answer(row)).all()
    assert predictor.clips == 1
    assert done.deferred == []


def test_a_rejected_file_has_the_properties_that_could_be_read(folder: Path, predictor: Loudness) -> None:
    """Of a sound that was decoded everything, of one that was not its hash, of one that was not read its size."""
    put_bad(folder, len(BAD))
    rows = {row["path"].split(" ", 1)[1]: row for row in rows_of(scored(task(folder), predictor))}
    short = rows["too short.wav"]
    assert (short["duration_s"], short["sample_rate_hz"], short["channels"]) == (0.045, 8000, 1)
    assert 0.4 < short["peak"] <= 0.5
    assert rows["too long.wav"]["duration_s"] is rows["FLAC too long.wav"]["duration_s"] is None
    assert rows["out of range.wav"]["peak"] == 30_000
    assert rows["NaN.wav"]["duration_s"] == 0.3
    assert rows["NaN.wav"]["peak"] is rows["infinity.wav"]["peak"] is None
    text = rows["text.wav"]
    assert len(text["content_sha256"]) == 64
    assert (text["duration_s"], text["sample_rate_hz"], text["channels"], text["peak"]) == (None,) * 4
    assert rows["64 MiB.wav"]["content_sha256"] is None
    assert rows["64 MiB.wav"]["size_bytes"] > 2**26


def test_a_file_beyond_a_limit_is_rejected(folder: Path, predictor: Loudness, monkeypatch: pytest.MonkeyPatch) -> None:
    """A larger file is not even read."""
    put(folder, "5.wav", loud(0.55))
    put(folder, "large.wav", loud(0.55, 0.9))
    monkeypatch.setattr(checks, "MAX_BYTES", 10_000)
    monkeypatch.setattr(checks, "MAX_DURATION_S", 0.2)
    rows = by_path(scored(task(folder), predictor))
    assert {path: row["reason"] for path, row in rows.items()} == {"5.wav": "too_long", "large.wav": "too_large"}


def test_a_clip_that_the_recognizer_fails_on_is_deferred_with_its_copies(folder: Path, predictor: Loudness) -> None:
    """And no other: its neighbours have their own answers."""
    for name in ("a.wav", "c.wav"):
        put(folder, name, loud(0.55, FAILING_S))
    put(folder, "b.wav", loud(0.35, 0.7))
    put(folder, "d.wav", loud(0.85, 0.8))
    done = scored(task(folder), predictor)
    assert deferred(done) == {"a.wav": "recognizer_failed", "c.wav": "recognizer_failed"}
    assert {path: row["digit"] for path, row in by_path(done).items()} == {"b.wav": 3, "d.wav": 8}


def grown(path: Path) -> None:
    """Let a file grow."""
    with path.open("ab") as file:
        file.write(b"more")


def touched(path: Path) -> None:
    """Let a file's time change, and nothing else."""
    os.utime(path, ns=(SETTLED_NS, SETTLED_NS + 1))


@pytest.mark.parametrize(("change", "reason"), [(grown, "changing"), (touched, "changing"), (Path.unlink, "vanished")])
def test_a_file_that_changes_between_listing_and_reading_is_deferred(
    folder: Path, predictor: Loudness, change: Callable[[Path], None], reason: str
) -> None:
    """It may be better tomorrow."""
    put(folder, "a.wav", loud(0.35))
    put(folder, "b.wav", loud(0.55))
    files = candidates(folder)
    change(folder / "a.wav")
    done = scored(task(folder), predictor, files)
    assert deferred(done) == {"a.wav": reason}
    assert list(by_path(done)) == ["b.wav"]


def test_decoded_audio_in_memory_is_bounded(folder: Path, predictor: Loudness, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are predicted in portions, and the rows keep the order of the files."""
    monkeypatch.setattr(scorer, "_PORTION_BYTES", 4 * 8000 * 0.5)
    for number in range(5):
        put(folder, f"{number}.wav", loud(0.15 + number / 10, 0.3))
    put(folder, "5.wav", b"no sound")
    done = scored(task(folder), predictor)
    assert predictor.batches == [[0.3] * 2, [0.3] * 2, [0.3]]
    assert [result.info.path for result in done.results] == [f"{number}.wav" for number in range(6)]


def test_channels_that_cancel_each_other_are_silent(folder: Path, predictor: Loudness) -> None:
    """In their mean, which is the input of the model; each of them is loud."""
    wave_of_one = tone(3)[:, None]
    put(folder, "a.wav", encoded(np.concatenate([wave_of_one, -wave_of_one], axis=1)))
    put(folder, "b.wav", encoded(np.concatenate([wave_of_one, 0.5 * wave_of_one], axis=1)))
    done = by_path(scored(task(folder), predictor))
    assert (done["a.wav"]["reason"], done["b.wav"]["status"]) == ("silent", "scored")
    assert "its channels are mixed" in done["a.wav"]["message"]


class Pause:
    """What happens while the scorer waits for files that were modified a moment ago."""

    def __init__(self, act: Callable[[], object]) -> None:
        self.act, self.seconds = act, 0.0

    def __call__(self, seconds: float) -> None:
        """Let it happen in no time."""
        self.seconds += seconds
        self.act()


@pytest.fixture
def pausing(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], Pause]:
    """Return a function that sets what happens in a pause."""

    def patched(act: Callable[[], object]) -> Pause:
        pause = Pause(act)
        monkeypatch.setattr("audiomnist.scoring.workers.scorer.time.sleep", pause)
        return pause

    return patched


Pausing = Callable[[Callable[[], object]], Pause]


@pytest.mark.parametrize(
    "beginning", [b"", b"RI", wave(bytes(200))[:60], wave(b"x" * 9, data_bytes=0), b"fLaC\0\0\0\x22cut", b"text"]
)
def test_a_file_that_looks_unfinished_and_is_finished_meanwhile_is_deferred(
    folder: Path, predictor: Loudness, pausing: Pausing, beginning: bytes
) -> None:
    """It was modified a moment ago: the scorer waits a little and looks again, at those files only."""
    path = put(folder, "a.wav", beginning, time.time_ns())
    put(folder, "b.wav", loud(0.55), time.time_ns())
    pause = pausing(lambda: path.write_bytes(loud(0.35)))
    done = scored(task(folder), predictor)
    assert 0 < pause.seconds < 5
    assert deferred(done) == {"a.wav": "changing"}
    assert list(by_path(done)) == ["b.wav"]
    assert by_path(scored(task(folder), predictor))["a.wav"]["digit"] == 3


def stream(level: float, seconds: float = 0.3) -> bytes:
    """Return a WAVE file whose peak is a level and whose header does not have the size of the sound."""
    return wave(loud(level, seconds)[44:], riff_bytes=2**32 - 1, data_bytes=2**32 - 1)


@pytest.mark.parametrize("seconds", [0.3, 0.01])
def test_a_stream_that_is_still_being_written_is_deferred(
    folder: Path, predictor: Loudness, pausing: Pausing, seconds: float
) -> None:
    """Its header does not say whether that was all of it, long enough or not."""
    path = put(folder, "a.wav", stream(0.35, seconds), time.time_ns())
    pause = pausing(lambda: path.write_bytes(stream(0.55, 0.6)))
    done = scored(task(folder), predictor)
    assert 0 < pause.seconds < 5
    assert (deferred(done), done.results) == ({"a.wav": "changing"}, [])


@pytest.mark.parametrize("is_recent", [True, False])
def test_a_stream_that_has_ended_is_scored(
    folder: Path, predictor: Loudness, pausing: Pausing, *, is_recent: bool
) -> None:
    """If it was modified a moment ago, after a second look."""
    put(folder, "a.wav", stream(0.35), time.time_ns() if is_recent else SETTLED_NS)
    pause = pausing(lambda: None)
    row = by_path(scored(task(folder), predictor))["a.wav"]
    assert (row["digit"], row["duration_s"]) == (3, 0.3)
    assert (pause.seconds > 0) == is_recent


def test_a_file_that_looks_unfinished_and_stays_so_is_rejected(
    folder: Path, predictor: Loudness, pausing: Pausing
) -> None:
    """However many there are, the scorer waits once."""
    for name in ("a.wav", "b.wav", "c.wav"):
        put(folder, name, wave(bytes(200))[:60], time.time_ns())
    pause = pausing(lambda: None)
    done = scored(task(folder), predictor)
    assert 0 < pause.seconds < 5
    assert [result.outcome.reason for result in done.results] == ["truncated"] * 3


@pytest.mark.parametrize(
    ("content", "modified_ns"),
    [
        (wave(bytes(200))[:60], SETTLED_NS),
        (loud(0.55), None),
        (wave(bytes(4000)), None),
        (wave(b"ab", channels=9), None),
    ],
)
def test_the_scorer_does_not_wait_for_old_files_nor_for_faults_that_stay(
    folder: Path, predictor: Loudness, pausing: Pausing, content: bytes, modified_ns: int | None
) -> None:
    """Silence does not go away by waiting, nor do nine channels."""
    put(folder, "a.wav", content, modified_ns or time.time_ns())
    pause = pausing(lambda: None)
    assert len(scored(task(folder), predictor).results) == 1
    assert pause.seconds == 0


@pytest.fixture
def files_of_all_kinds(folder: Path) -> Path:
    """An inbox of good and bad files."""
    put_bad(folder, len(BAD))
    for number in range(20):
        put(folder, f"{number}.wav", loud(0.1 * (number % 9) + 0.05, 0.2 + number / 100))
    return folder


def test_nothing_comes_of_no_files(folder: Path, predictor: Loudness) -> None:
    """The model is not asked."""
    done = scored(task(folder), predictor)
    assert (done.results, done.deferred) == ([], [])
    assert predictor.batches == []


def test_joined_chunks_have_the_results_of_both(files_of_all_kinds: Path, predictor: Loudness) -> None:
    """In their order."""
    files = candidates(files_of_all_kinds)
    (files_of_all_kinds / "3.wav").unlink()
    whole = scored(task(files_of_all_kinds), predictor, files)
    parts = [scored(task(files_of_all_kinds), predictor, part) for part in (files[:17], files[17:])]
    joined = parts[0].joined(parts[1])
    assert rows_of(joined) == rows_of(whole)
    assert joined.deferred == whole.deferred

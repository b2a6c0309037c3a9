"""What a file gets depends on the file and the model alone: not on what else is in its batch, nor on who reads it."""

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import small_bundles
from hypothesis import given, settings
from hypothesis import strategies as st
from inbox_files import encoded, put, put_bad, put_good
from runs import RUN_COLUMNS, Row, assert_same_answers, by_path, rows_of, score

from audiomnist.scoring.inbox import discover as inbox
from audiomnist.scoring.inbox.discover import Candidate
from audiomnist.scoring.inbox.inbox import Folder
from audiomnist.scoring.run import ScoringConfig
from audiomnist.scoring.workers.scorer import Scorer, ScoringTask
from audiomnist.serving import model
from audiomnist.serving.predictor import predictor
from audiomnist.synthesis.corpus import SyntheticParams, write_corpus

GOOD, BAD, LENGTHS = 76, 12, 24
SPOKEN = 12
QUICK, LONG = settings(max_examples=20), settings(max_examples=30)
QUICK_RUNS, LONG_RUNS = settings(max_examples=2), settings(max_examples=4)


@dataclass(frozen=True)
class Alone:
    """An inbox, a model, what labels files with it, and the row of each file that was labelled by itself."""

    inbox: Path
    bundle: Path
    labeller: Scorer
    files: list[Candidate]
    rows: dict[str, Row]


def labelled_alone(folder: Path, bundle: Path) -> Alone:
    """Label each file of an inbox by itself."""
    files = [item for item in inbox.discover(folder) if isinstance(item, Candidate)]
    labeller = Scorer(
        ScoringTask(Folder(folder), bundle, RUN_COLUMNS["model_version"], 0.0), predictor(model.load(bundle, threads=1))
    )
    rows = [row for file in files for row in rows_of(labeller.score([file]))]
    return Alone(folder, bundle, labeller, files, {row["path"]: row for row in rows})


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make an inbox of files of all kinds and of lengths from 50 ms to 3 s, with copies and bad ones among them."""
    folder = tmp_path_factory.mktemp("sounds")
    put_good(folder, GOOD)
    put_bad(folder, BAD)
    for number, seconds in enumerate(np.geomspace(0.05, 3, LENGTHS)):
        noise = np.random.default_rng(number).normal(0, 0.1, round(8000 * seconds))
        put(folder, f"length-{number:02}.wav", encoded(noise))
        if number % 4 == 0:
            put(folder, f"again-{number:02}.wav", encoded(noise))
    return folder


@pytest.fixture(scope="module", params=["cnn", "rnn"])
def alone(sounds: Path, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Alone:
    """The answers of a small model."""
    bundle = small_bundles.write(request.param, tmp_path_factory.mktemp(request.param))
    return labelled_alone(sounds, bundle)


@pytest.fixture(scope="module")
def transcribed(tmp_path_factory: pytest.TempPathFactory) -> Alone:
    """The answers of a small model to what Whisper makes of spoken digits."""
    folder = tmp_path_factory.mktemp("spoken")
    spoken = write_corpus(folder, ["clara", "edgar"], SyntheticParams(seed=0, takes=1))
    for recording in spoken[SPOKEN:]:
        (folder / recording.file).unlink()
    bundle = small_bundles.write("lstm", tmp_path_factory.mktemp("lstm"))
    return labelled_alone(folder, bundle)


def assert_answers_are_those_of_each_file_alone(alone: Alone, data: st.DataObject) -> None:
    """Label some of the files, in any order and in chunks of any size."""
    config = data.draw(st.permutations(alone.files))
    chosen = config[: data.draw(st.integers(1, len(config)))]
    size = data.draw(st.integers(1, len(chosen)))
    parts = [alone.labeller.score(chosen[start : start + size]) for start in range(0, len(chosen), size)]
    found = {row["path"]: row for part in parts for row in rows_of(part)}
    assert_same_answers(found, only(alone, chosen))


def only(alone: Alone, files: Sequence[Candidate]) -> dict[str, Row]:
    """Return the rows of some files."""
    return {os.fsdecode(file.path): alone.rows[os.fsdecode(file.path)] for file in files}


@QUICK
@given(data=st.data())
def test_neighbours_order_and_chunks_change_no_answer(alone: Alone, data: st.DataObject) -> None:
    """Labels are equal, and probabilities but for rounding."""
    assert_answers_are_those_of_each_file_alone(alone, data)


@pytest.mark.long
@LONG
@given(data=st.data())
def test_neighbours_order_and_chunks_never_change_an_answer(alone: Alone, data: st.DataObject) -> None:
    """The same for many more."""
    assert_answers_are_those_of_each_file_alone(alone, data)


@QUICK_RUNS
@given(data=st.data())
def test_neighbours_change_no_answer_through_a_recognizer(transcribed: Alone, data: st.DataObject) -> None:
    """What is recognized in a clip does not depend on the others."""
    assert_answers_are_those_of_each_file_alone(transcribed, data)


@pytest.mark.long
@LONG_RUNS
@given(data=st.data())
def test_neighbours_never_change_an_answer_through_a_recognizer(transcribed: Alone, data: st.DataObject) -> None:
    """The same for many more."""
    assert_answers_are_those_of_each_file_alone(transcribed, data)


def assert_runs_give_what_each_file_gets_alone(alone: Alone, data: st.DataObject, workers: int) -> None:
    """Score some of the files under other names, and so in another order, with commits of any size."""
    config = data.draw(st.permutations(alone.files))
    chosen = config[: data.draw(st.integers(1, len(config)))]
    batch_size = data.draw(st.integers(1, 200).filter(lambda rows: len(chosen) / rows < 20))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number, file in enumerate(chosen):
            path = os.fsdecode(file.path)
            put(folder / "inbox" / f"{number:03}", path, (alone.inbox / path).read_bytes())
        score(ScoringConfig(folder / "inbox", folder / "table", alone.bundle, batch_size=batch_size, workers=workers))
        found = {path.partition("/")[2]: row for path, row in by_path(folder / "table").items()}
    for path, row in found.items():
        row["message"] = row["message"] and alone.rows[path]["message"]
    assert_same_answers(found, only(alone, chosen))


@pytest.mark.parametrize("workers", [1, 2])
@QUICK_RUNS
@given(data=st.data())
def test_names_commits_and_processes_change_no_answer(alone: Alone, data: st.DataObject, workers: int) -> None:
    """A run of the scorer gives each file what it gets alone."""
    assert_runs_give_what_each_file_gets_alone(alone, data, workers)


@pytest.mark.long
@pytest.mark.parametrize("workers", [1, 2])
@LONG_RUNS
@given(data=st.data())
def test_names_commits_and_processes_never_change_an_answer(alone: Alone, data: st.DataObject, workers: int) -> None:
    """The same for many more."""
    assert_runs_give_what_each_file_gets_alone(alone, data, workers)

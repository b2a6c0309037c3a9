"""Who labels: one process or several give the same, and a file that kills its process harms no other."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import small_bundles
from deadly import Deadly
from nights import STAMP, Row, assert_same_answers
from sounds import put, put_bad, put_good

from audiomnist import inference
from audiomnist.bundle import BundleError
from audiomnist.corpus import manifest
from audiomnist.hearing import Hear, hearing
from audiomnist.scoring import crew, inbox
from audiomnist.scoring.crew import Chunk
from audiomnist.scoring.inbox import Candidate
from audiomnist.scoring.known import Keys, content_key
from audiomnist.scoring.labeller import Labelled, Task

POISON = b"kills whoever asks for it"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An inbox of twenty good files and four bad ones."""
    put_good(tmp_path / "inbox", 20)
    put_bad(tmp_path / "inbox", 4)
    return tmp_path / "inbox"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model."""
    return small_bundles.write("cnn", tmp_path_factory.mktemp("bundle"))


@pytest.fixture
def task(folder: Path, bundle: Path) -> Task:
    """What files are judged by."""
    version = inference.load(bundle, threads=1).version
    return Task(folder, bundle, replace(STAMP, model_version=version), Keys(bytearray()))


@pytest.fixture
def hear(bundle: Path) -> Hear:
    """The model, opened in this process."""
    return hearing(inference.load(bundle, threads=1))


def chunks(task: Task, size: int) -> list[Chunk]:
    """Return what there is to be read in the inbox, in chunks."""
    files = [item for item in inbox.discover(task.inbox) if isinstance(item, Candidate)]
    return [files[start : start + size] for start in range(0, len(files), size)]


def together(done: list[Labelled]) -> Labelled:
    """Return what came of all chunks."""
    whole = Labelled.of_none([])
    for part in done:
        whole = whole.joined(part)
    return whole


def rows(done: Labelled) -> dict[str, Row]:
    """Return the rows by path."""
    return {row["path"]: row for row in done.rows.to_pylist()}


def paths(part: Labelled) -> list[str]:
    """Return the paths of the rows."""
    return [str(path) for path in part.rows["path"].to_pylist()]


def test_two_processes_give_what_one_gives_in_the_same_order(task: Task, hear: Hear) -> None:
    """Chunk by chunk, more of them than there are processes."""
    parts = chunks(task, 3)
    alone, shared = (list(crew.labelled(task, hear, parts, workers)) for workers in (1, 2))
    assert [paths(part) for part in shared] == [[item.path.decode() for item in part] for part in parts]
    assert [part.copies for part in shared] == [part.copies for part in alone]
    assert_same_answers(rows(together(shared)), rows(together(alone)))


@pytest.mark.parametrize("workers", [1, 2])
def test_chunks_are_taken_as_there_is_room_for_them(task: Task, hear: Hear, workers: int) -> None:
    """An inbox of any size does not come into memory at once."""
    taken = 0

    def counted() -> Iterator[Chunk]:
        nonlocal taken
        for chunk in chunks(task, 2):
            taken += 1
            yield chunk

    ahead = []
    for done, _ in enumerate(crew.labelled(task, hear, counted(), workers), start=1):
        ahead.append(taken - done)
    assert len(ahead) == 12
    assert max(ahead) < 2 * workers


@pytest.mark.parametrize("workers", [1, 2])
def test_no_chunks_no_work(task: Task, hear: Hear, workers: int) -> None:
    """An empty inbox is no fault."""
    assert list(crew.labelled(task, hear, [], workers)) == []


def test_a_file_that_kills_its_process_is_deferred_and_no_other(task: Task, hear: Hear) -> None:
    """All others have their rows, in the order of the chunks."""
    expected = rows(together([*crew.labelled(task, hear, chunks(task, 24), 1)]))
    path = put(task.inbox, "good-0003 poison.wav", POISON)
    parts = chunks(task, 2)[2:5]
    deadly = replace(task, contents=Deadly(content_key(manifest.sha256_of(path))))
    done = list(crew.labelled(deadly, hear, parts, 2))
    (lost,) = [item for part in done for item in part.deferred]
    assert (lost.path.decode(), lost.reason) == (path.name, "worker_died")
    others = [item.path.decode() for part in parts for item in part if item.path.decode() != path.name]
    assert [name for part in done for name in paths(part)] == others
    assert_same_answers(rows(together(done)), {name: expected[name] for name in others})


def test_a_model_that_is_exchanged_meanwhile_is_told(task: Task, hear: Hear, tmp_path: Path) -> None:
    """Rows would otherwise bear the version of one model and the answers of another; no file is to blame."""
    exchanged = replace(task, bundle=small_bundles.write("cnn", tmp_path / "other", seed=1))
    with pytest.raises(BundleError, match="was exchanged while the run was beginning"):
        list(crew.labelled(exchanged, hear, chunks(task, 12), 2))


def test_a_model_that_vanishes_meanwhile_is_told(task: Task, hear: Hear, tmp_path: Path) -> None:
    """No file is to blame."""
    with pytest.raises(BundleError, match="no model bundle"):
        list(crew.labelled(replace(task, bundle=tmp_path / "gone"), hear, chunks(task, 12), 2))

"""Worker pool: one or several processes give the same rows, and a file that kills its process affects no other."""

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from multiprocessing import active_children
from pathlib import Path

import crashing_reader
import pytest
import small_bundles
from inbox_files import put, put_bad, put_good
from runs import Row, assert_same_answers, folder_of, rows_of
from score_process import DEADLINE_S, is_asleep, wait_until

from audiomnist.scoring.inbox import discover
from audiomnist.scoring.inbox.discover import Candidate
from audiomnist.scoring.inbox.inbox import Folder
from audiomnist.scoring.workers import pool, worker
from audiomnist.scoring.workers.scorer import Chunk, ScoredChunk, ScoringTask
from audiomnist.scoring.workers.worker import Worker
from audiomnist.serving import model
from audiomnist.serving.bundle.description import BundleError


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
def task(folder: Path, bundle: Path) -> ScoringTask:
    """A scoring task for the inbox."""
    version = model.load(bundle, threads=1).version
    return ScoringTask(Folder(folder), bundle, version, 0.0)


@pytest.fixture
def libsndfile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A decoder that some files crash, or worse, in the processes that start from now on."""
    monkeypatch.syspath_prepend(crashing_reader.put(tmp_path / "deadly"))


def chunks(task: ScoringTask, size: int) -> list[Chunk]:
    """Return what there is to be read in the inbox, in chunks."""
    files = [item for item in discover.discover(folder_of(task)) if isinstance(item, Candidate)]
    return [files[start : start + size] for start in range(0, len(files), size)]


def together(done: list[ScoredChunk]) -> ScoredChunk:
    """Return what came of all chunks."""
    whole = ScoredChunk([], [])
    for part in done:
        whole = whole.joined(part)
    return whole


def rows(done: ScoredChunk) -> dict[str, Row]:
    """Return the rows by path."""
    return {row["path"]: row for row in rows_of(done)}


def paths(part: ScoredChunk) -> list[str]:
    """Return the paths of the rows."""
    return [result.info.path for result in part.results]


def test_two_processes_give_what_one_gives_in_the_same_order(task: ScoringTask) -> None:
    """Chunk by chunk, more of them than there are processes."""
    parts = chunks(task, 3)
    alone, shared = (list(pool.scored_chunks(task, parts, workers)) for workers in (1, 2))
    assert [paths(part) for part in shared] == [[item.path.decode() for item in part] for part in parts]
    assert_same_answers(rows(together(shared)), rows(together(alone)))


@pytest.mark.parametrize("workers", [1, 2])
def test_chunks_are_taken_as_there_is_room_for_them(task: ScoringTask, workers: int) -> None:
    """An inbox of any size does not come into memory at once."""
    taken = 0

    def counted() -> Iterator[Chunk]:
        nonlocal taken
        for chunk in chunks(task, 2):
            taken += 1
            yield chunk

    ahead = []
    for done, _ in enumerate(pool.scored_chunks(task, counted(), workers), start=1):
        ahead.append(taken - done)
    assert len(ahead) == 12
    assert max(ahead) < 2 * workers


@pytest.mark.parametrize("workers", [1, 2])
def test_no_chunks_no_work(task: ScoringTask, workers: int) -> None:
    """An empty inbox is no fault."""
    assert list(pool.scored_chunks(task, [], workers)) == []


@pytest.mark.usefixtures("libsndfile")
@pytest.mark.parametrize(
    "act", ["crash", pytest.param("kill", marks=pytest.mark.long), pytest.param("starve", marks=pytest.mark.long)]
)
def test_a_file_that_ends_its_process_is_deferred_and_no_other(task: ScoringTask, act: str) -> None:
    """A crash of the decoder, SIGKILL, lack of memory: all others have their rows, in the order of the chunks."""
    expected = rows(together([*pool.scored_chunks(task, chunks(task, 24), 1)]))
    put(folder_of(task), "good-0003 deadly.flac", act.encode())
    parts = chunks(task, 2)[2:5]
    done = list(pool.scored_chunks(task, parts, 2))
    (lost,) = [item for part in done for item in part.deferred]
    assert (lost.path, lost.reason) == (b"good-0003 deadly.flac", "worker_died")
    assert lost.detail == "made the process die that read it, perhaps because memory ran out"
    others = [item.path.decode() for part in parts for item in part if item.path != lost.path]
    assert [name for part in done for name in paths(part)] == others
    assert_same_answers(rows(together(done)), {name: expected[name] for name in others})


@pytest.mark.long
@pytest.mark.usefixtures("libsndfile")
def test_a_file_that_its_process_hangs_on_is_deferred_and_no_other(
    task: ScoringTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process is killed once its answer is overdue, though the decoder lets no signal through to Python."""
    expected = rows(together([*pool.scored_chunks(task, chunks(task, 24), 1)]))
    monkeypatch.setattr(worker, "_START_LIMIT_S", 4.0)
    put(folder_of(task), "good-0000 deadly.flac", b"hang")
    (part,) = [part for part in chunks(task, 2) if b"good-0000 deadly.flac" in {item.path for item in part}]
    (done,) = pool.scored_chunks(task, [part], 1)
    (lost,) = done.deferred
    assert (lost.path, lost.reason) == (b"good-0000 deadly.flac", "worker_died")
    assert lost.detail == "kept the process that read it busy for 4 s, and was given up"
    assert_same_answers(rows(done), {name: expected[name] for name in paths(done)})
    assert len(done.results) == 1


@pytest.mark.parametrize("which", [0, pytest.param(1, marks=pytest.mark.long)])
def test_a_process_that_is_killed_while_it_has_nothing_to_do_is_replaced(task: ScoringTask, which: int) -> None:
    """Whichever of two it is, the other one does not wait for it for ever."""
    expected = rows(together([*pool.scored_chunks(task, chunks(task, 3), 1)]))
    with closing(pool.scored_chunks(task, chunks(task, 3), 2)) as parts, ThreadPoolExecutor(1) as thread:
        done = [next(parts)]
        idle = sorted(child.pid for child in active_children() if child.pid)
        wait_until(lambda: all(is_asleep(pid) for pid in idle))
        assert len(idle) == 2
        os.kill(idle[which], signal.SIGKILL)
        done += thread.submit(list, parts).result(DEADLINE_S)
    assert_same_answers(rows(together(done)), expected)


def test_what_a_process_has_in_hand_when_it_is_killed_is_labelled_again(task: ScoringTask) -> None:
    """By another one, and no file is blamed."""
    expected = rows(together([*pool.scored_chunks(task, chunks(task, 24), 1)]))
    one = Worker(task)
    try:
        one.score(chunks(task, 24)[0])
        (process,) = active_children()
        os.kill(int(process.pid or 0), signal.SIGSTOP)
        with ThreadPoolExecutor(1) as thread:
            answer = thread.submit(one.score, chunks(task, 24)[0])
            process.kill()
            assert_same_answers(rows(answer.result(DEADLINE_S)), expected)
    finally:
        one.close()


def test_a_worker_that_is_closed_starts_no_other_process(task: ScoringTask) -> None:
    """Who waits for its answer waits no longer."""
    one = Worker(task)
    one.score(chunks(task, 24)[0])
    (process,) = active_children()
    os.kill(int(process.pid or 0), signal.SIGSTOP)
    with ThreadPoolExecutor(1) as thread:
        answer = thread.submit(one.score, chunks(task, 24)[0])
        one.close()
        assert answer.exception(DEADLINE_S) is not None
    assert active_children() == []


@pytest.mark.usefixtures("libsndfile")
def test_an_error_that_nobody_foresaw_is_raised_here(task: ScoringTask) -> None:
    """With what the process knows of it; it is not taken for the fault of a file."""
    put(folder_of(task), "good-0003.flac", b"fail")
    with pytest.raises(ZeroDivisionError) as caught:
        list(pool.scored_chunks(task, chunks(task, 12), 2))
    assert "in decode_flac" in "".join(caught.value.__notes__)
    assert active_children() == []


def test_a_model_that_is_exchanged_meanwhile_is_reported(task: ScoringTask, tmp_path: Path) -> None:
    """Rows would otherwise bear the version of one model and the answers of another; no file is to blame."""
    exchanged = replace(task, bundle=small_bundles.write("cnn", tmp_path / "other", seed=1))
    with pytest.raises(BundleError, match="was replaced while the run was starting"):
        list(pool.scored_chunks(exchanged, chunks(task, 12), 2))


def test_a_model_that_vanishes_meanwhile_is_reported(task: ScoringTask, tmp_path: Path) -> None:
    """No file is to blame."""
    with pytest.raises(BundleError, match="no model bundle"):
        list(pool.scored_chunks(replace(task, bundle=tmp_path / "gone"), chunks(task, 12), 2))

"""What the engine `ray` does before and around Ray: windows of chunks, and what a node answers."""

import subprocess
import sys
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import small_bundles
from inbox_files import put_bad, put_good
from runs import assert_same_answers, rows_of

from audiomnist.scoring.cluster import bundle_files, engine, remote
from audiomnist.scoring.cluster.engine import Cluster
from audiomnist.scoring.cluster.remote import ClusterError, RemoteScorer
from audiomnist.scoring.inbox.discover import Candidate, Deferred, InboxError
from audiomnist.scoring.inbox.inbox import Folder
from audiomnist.scoring.inbox.selection import Selection
from audiomnist.scoring.shutdown import Stop
from audiomnist.scoring.workers.scorer import Chunk, ScoredChunk, ScoringTask
from audiomnist.scoring.workers.worker import Worker
from audiomnist.serving import model
from audiomnist.serving.bundle import code_version
from audiomnist.serving.bundle.description import BundleError

FILES_PER_CHUNK = 3


@dataclass
class Deferring:
    """A pool that defers every file, and notes how many chunks each window has."""

    workers: int = 1
    windows: list[int] = field(default_factory=list)

    def put(self, chunk: Chunk) -> Any:
        """Return the chunk itself."""
        return chunk

    def scored(self, chunks: list[Any], stop: Stop) -> Generator[ScoredChunk, None, None]:
        """Defer the files of chunk after chunk."""
        self.windows.append(len(chunks))
        for chunk in chunks:
            if stop.requested:
                return
            yield ScoredChunk([], [Deferred(file.path, "changing", "") for file in chunk])


def chunks(count: int) -> Iterator[Chunk]:
    """Yield chunks of files with the numbers 0, 1, 2, ... as their names."""
    for number in range(count):
        first = number * FILES_PER_CHUNK
        yield [Candidate(str(first + file).encode(), 1, 1) for file in range(FILES_PER_CHUNK)]


def names(parts: list[ScoredChunk]) -> list[int]:
    """Return the numbers of the files."""
    return [int(file.path) for part in parts for file in part.deferred]


@pytest.fixture
def left() -> list[int]:
    """How many files each call of `leave` was about."""
    return []


@pytest.mark.parametrize("count", [0, 1, 16, 17, 1000])
def test_every_chunk_is_scored_once_and_in_order(count: int, left: list[int]) -> None:
    """Whatever the number of windows is."""
    parts = list(engine.in_windows(Deferring(), chunks(count), Stop(), left.append))
    assert names(parts) == list(range(count * FILES_PER_CHUNK))
    assert sum(left) == 0


def test_windows_grow_up_to_a_number_of_files(left: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """The first has some chunks per worker; none has more files than fit, but for one chunk."""
    monkeypatch.setattr(engine, "_WINDOW_FILES", 100 * FILES_PER_CHUNK)
    pool = Deferring(workers=2)
    assert len(list(engine.in_windows(pool, chunks(500), Stop(), left.append))) == 500
    assert pool.windows[:2] == [32, 104]
    assert max(pool.windows) <= 100 + 8
    assert sum(pool.windows) == 500


def test_no_more_is_listed_than_the_next_window_takes(left: list[int]) -> None:
    """An inbox of any size does not come into memory at once."""
    listed = 0

    def counted() -> Iterator[Chunk]:
        nonlocal listed
        for chunk in chunks(1000):
            listed += 1
            yield chunk

    parts = engine.in_windows(Deferring(), counted(), Stop(), left.append)
    next(parts)
    assert listed == 16
    next(parts)
    assert listed == 16 + 8


@pytest.mark.parametrize("done", [1, 15, 16, 20, 144])
def test_a_stop_counts_the_rest_as_left(done: int, left: list[int]) -> None:
    """Each file that was taken has a result or is left, in the window that is being scored and in the next one."""
    stop, taken = Stop(), 0

    def until_stopped() -> Iterator[Chunk]:
        nonlocal taken
        for chunk in chunks(1000):
            if stop.requested:
                return
            taken += len(chunk)
            yield chunk

    parts = []
    for part in engine.in_windows(Deferring(), until_stopped(), stop, left.append):
        parts.append(part)
        stop.requested = len(parts) == done
    assert len(parts) == done
    assert sum(left) == taken - done * FILES_PER_CHUNK
    assert sum(left) > 0


def test_without_new_files_no_cluster_is_asked_for(task: ScoringTask, left: list[int]) -> None:
    """A night with nothing new needs no Ray."""
    nowhere = Cluster("127.0.0.1:1")
    assert list(engine.scored_chunks(task, [], nowhere, Stop(), left.append)) == []


def test_the_local_engine_imports_no_ray(task: ScoringTask, tmp_path: Path) -> None:
    """Ray takes seconds to import, and an install that one machine needs does without it."""
    program = """
import sys
sys.modules["ray"] = None
from audiomnist.cli import main
main.main()
"""
    options = ["--into", str(tmp_path / "table"), "--model", str(task.bundle), "--workers", "1", "--quiet"]
    command = [sys.executable, "-c", program, "score", str(tmp_path / "inbox"), *options]
    local, ray = (
        subprocess.run([*command, "--engine", name], capture_output=True, text=True, check=False)
        for name in ("local", "ray")
    )
    assert (local.returncode, local.stderr) == (0, "")
    assert ray.returncode == 0, "nothing is new"


def test_without_ray_a_sentence_names_the_extra(task: ScoringTask, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that installs it."""
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.delitem(sys.modules, "audiomnist.scoring.cluster.ray_pool", raising=False)
    with pytest.raises(ClusterError, match=r"package ray is not installed: pip install 'audiomnist\[cluster\]'"):
        list(engine.scored_chunks(task, chunks(1), Cluster(), Stop(), lambda _: None))


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model."""
    return small_bundles.write("cnn", tmp_path_factory.mktemp("bundle"))


@pytest.fixture
def task(tmp_path: Path, bundle: Path) -> ScoringTask:
    """A scoring task for an inbox of ten good files and four bad ones."""
    put_good(tmp_path / "inbox", 10)
    put_bad(tmp_path / "inbox", 4)
    return ScoringTask(Folder(tmp_path / "inbox"), bundle, model.load(bundle, threads=1).version, 0.0)


@pytest.fixture
def files(task: ScoringTask) -> Chunk:
    """All files of that inbox."""
    return [file for file in task.inbox.entries(Selection()) if isinstance(file, Candidate)]


def answer(task: ScoringTask, files: Chunk, revision: str = code_version.revision()) -> Any:
    """Return the answer of a node that the bundle is sent to."""
    content = bundle_files.read(task.bundle)
    scorer = RemoteScorer(replace(task, bundle=Path("/nowhere")), revision, lambda: content)
    (found,) = remote.contents(scorer(remote.block(files)))
    return found


def test_a_node_without_the_model_answers_as_a_worker_of_this_machine(task: ScoringTask, files: Chunk) -> None:
    """The bundle is sent to it."""
    local = Worker(task)
    expected = local.score(files)
    local.close()
    found = answer(task, files)
    by_path = [{row["path"]: row for row in rows_of(done)} for done in (found, expected)]
    assert_same_answers(*by_path)
    assert found.deferred == expected.deferred


def test_a_bundle_is_sent_with_its_members(tmp_path: Path) -> None:
    """File by file, with folders."""
    for name in ("bundle.json", "cnn/bundle.json", "cnn/model.onnx"):
        (tmp_path / "sent" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "sent" / name).write_bytes(name.encode())
    files = bundle_files.read(tmp_path / "sent")
    bundle_files.write(files, tmp_path / "received")
    assert bundle_files.read(tmp_path / "received") == files
    assert len(files) == 3


def test_a_model_that_a_node_cannot_use_is_an_answer(task: ScoringTask, files: Chunk) -> None:
    """So that the run ends with the status and the sentence of the other engine."""
    error = answer(replace(task, model_version="0" * 64), files)
    assert isinstance(error, BundleError)
    assert "was replaced" in str(error)


def test_a_node_with_another_program_scores_nothing(task: ScoringTask, files: Chunk) -> None:
    """Its rows would have a revision that did not make them."""
    error = answer(task, files, revision="another")
    assert isinstance(error, ClusterError)
    assert "install the same on all nodes" in str(error)


def test_a_node_that_cannot_list_the_inbox_scores_nothing(task: ScoringTask, files: Chunk) -> None:
    """All its files would count as vanished."""
    error = answer(replace(task, inbox=Folder(Path("/nowhere"))), files)
    assert isinstance(error, InboxError)
    assert str(error).startswith("on the node ")

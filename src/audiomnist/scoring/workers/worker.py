"""A scoring process, replaced when it dies or does not answer in time.

Workers share no lock or queue, so killing one cannot block another: each has a pipe to the process that started it,
and nothing else. Whenever a worker is killed, even in the middle of an answer, its pipe ends, and the reader notices.
"""

import gc
import multiprocessing
import os
import sys
import traceback
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from threading import Lock

from audiomnist.core.errors import AudiomnistError
from audiomnist.core.processes import ENDING_SIGNALS, blocked_signals, die_with_parent, single_threaded_blas
from audiomnist.scoring.inbox.discover import Deferred
from audiomnist.scoring.workers.scorer import Chunk, ScoredChunk, Scorer, ScoringTask
from audiomnist.serving.bundle.description import BundleError
from audiomnist.serving.cascade import load
from audiomnist.serving.predictor import predictor

# Time allowed for an answer: start of the process, plus about ten times the usual time of each file.
_START_LIMIT_S, _FILE_LIMIT_S = 60.0, 0.25
_DIED = "made the process die that read it, perhaps because memory ran out"

_start_lock = Lock()


class Worker:
    """Scores chunks in a separate process, which starts with the first chunk; for use by one thread at a time."""

    def __init__(self, task: ScoringTask) -> None:
        """Create a worker; the model of the task must not change from now on."""
        self._task = task
        self._process: BaseProcess | None = None
        self._pipe: Connection | None = None
        self._is_closed = False
        self._state_lock = Lock()

    def score(self, chunk: Chunk) -> ScoredChunk:
        """Score files; a file that kills process after process is deferred, all others are scored.

        Raises:
            AudiomnistError: the model cannot be used.
        """
        try:
            return self._request(chunk)
        except _DiedError:
            return self._bisect(chunk)

    def close(self) -> None:
        """Kill the process; a thread that waits for its answer gets an error, and no other process is started."""
        with self._state_lock:
            self._is_closed = True
            self._kill()

    def _bisect(self, chunk: Chunk) -> ScoredChunk:
        """Score a chunk that killed its process: halve it, each half in a new process, until the file is found."""
        with self._state_lock:
            self._kill()
        try:
            return self._request(chunk)
        except _DiedError as error:
            if self._is_closed:
                raise
            if len(chunk) <= 1:
                return ScoredChunk([], [Deferred(file.path, "worker_died", str(error)) for file in chunk])
            half = len(chunk) // 2
            return self._bisect(chunk[:half]).joined(self._bisect(chunk[half:]))

    def _request(self, chunk: Chunk) -> ScoredChunk:
        limit_s = _START_LIMIT_S + self._task.inbox.read_limit_s + _FILE_LIMIT_S * len(chunk)
        try:
            pipe = self._pipe or self._start()
            pipe.send(chunk)
            if not pipe.poll(limit_s):
                raise _DiedError(f"kept the process that read it busy for {limit_s:.0f} s, and was given up")
            answer: ScoredChunk | Exception = pipe.recv()
        except (EOFError, OSError) as error:
            raise _DiedError(_DIED) from error
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _start(self) -> Connection:
        resource_tracker.ensure_running()  # if it started inside the block below, it would unblock the signals
        context = multiprocessing.get_context("spawn")
        with self._state_lock:
            if self._is_closed:
                raise _DiedError(_DIED)
            self._pipe, child_pipe = context.Pipe()
            self._process = context.Process(target=_work, args=(os.getpid(), child_pipe, self._task), daemon=True)
            with child_pipe, _start_lock, single_threaded_blas(), blocked_signals(ENDING_SIGNALS):
                self._process.start()
            return self._pipe

    def _kill(self) -> None:
        if self._process and self._process.pid:
            self._process.kill()
            self._process.join()
        self._process = self._pipe = None


class _DiedError(Exception):
    """A scoring process died, does not answer, or could not be started."""


def _work(parent: int, pipe: Connection, task: ScoringTask) -> None:
    """Score chunks until the parent closes the pipe or kills this process."""
    die_with_parent(parent)
    if sys.stderr:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())  # libraries print warnings about files
    scorer = _scorer(task)
    # Few of the many objects of a chunk are part of cycles: collect them after each chunk, not all the time.
    gc.freeze()
    gc.disable()
    while True:
        try:
            chunk: Chunk = pipe.recv()
        except EOFError:
            return
        pipe.send(_answer(scorer, chunk))
        gc.collect()


def _scorer(task: ScoringTask) -> Scorer | AudiomnistError:
    try:
        model = load(task.bundle, threads=1)
        if model.version != task.model_version:
            return BundleError(f"{task.bundle} was replaced while the run was starting: run again")
        return Scorer(task, predictor(model))
    except AudiomnistError as error:
        return error


def _answer(scorer: Scorer | AudiomnistError, chunk: Chunk) -> ScoredChunk | Exception:
    """Return the scored chunk, or an error for the parent to raise, with its traceback.

    A MemoryError ends this process, like an out-of-memory kill.
    """
    if isinstance(scorer, AudiomnistError):
        return scorer
    try:
        return scorer.score(chunk)
    except MemoryError:
        sys.exit(1)
    except Exception as error:  # noqa: BLE001 - the parent raises it
        error.add_note(traceback.format_exc())
        return error

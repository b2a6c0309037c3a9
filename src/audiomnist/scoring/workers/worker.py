"""A process that labels, and that is replaced when it dies or does not answer in time.

It shares with its like nothing that it could take along into death: its pipe has two ends, its own and that of the
process that started it. At whatever instant it is killed, be it in the middle of an answer, the pipe ends, and whoever
waits for the answer knows; there is no lock and no queue in which others would wait for what never comes.
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
from audiomnist.core.processes import ENDING_SIGNALS, end_with_parent, held_back, one_thread_each
from audiomnist.scoring.inbox.discover import Deferred
from audiomnist.scoring.workers.scorer import Chunk, Labelled, Labeller, Task
from audiomnist.serving import model as inference
from audiomnist.serving.bundle.description import BundleError
from audiomnist.serving.predictor import Hear, hearing

# How long an answer may take: the start of a process, and each file, ten times over.
_START_LIMIT_S, _FILE_LIMIT_S = 60.0, 0.25
_DIED = "made the process die that read it, perhaps for want of memory"

_starting = Lock()


class Worker:
    """Labels in a process of its own, which starts with the first chunk. One thread at a time may ask it."""

    def __init__(self, task: Task) -> None:
        """Take what files are judged by; nothing of it may change from now on."""
        self._task = task
        self._process: BaseProcess | None = None
        self._pipe: Connection | None = None
        self._is_closed = False
        self._changing = Lock()

    def label(self, chunk: Chunk) -> Labelled:
        """Label files; one that makes process after process die is deferred, and no other.

        Raises:
            AudiomnistError: the model cannot be used.
        """
        try:
            return self._ask(chunk)
        except _DiedError:
            return self._label_carefully(chunk)

    def close(self) -> None:
        """Kill the process; whoever waits for its answer gets an error, and no other process is started."""
        with self._changing:
            self._is_closed = True
            self._end()

    def _label_carefully(self, chunk: Chunk) -> Labelled:
        """Label what a process had in hand when it died: in halves, until the file that kills it is found.

        Each half has a fresh process, lest it suffer for what another one did.
        """
        with self._changing:
            self._end()
        try:
            return self._ask(chunk)
        except _DiedError as error:
            if self._is_closed:
                raise
            if len(chunk) <= 1:
                return Labelled.of_none([Deferred(candidate.path, "worker_died", str(error)) for candidate in chunk])
            half = len(chunk) // 2
            return self._label_carefully(chunk[:half]).joined(self._label_carefully(chunk[half:]))

    def _ask(self, chunk: Chunk) -> Labelled:
        limit_s = _START_LIMIT_S + _FILE_LIMIT_S * len(chunk)
        try:
            pipe = self._pipe or self._start()
            pipe.send(chunk)
            if not pipe.poll(limit_s):
                raise _DiedError(f"kept the process that read it busy for {limit_s:.0f} s, and was given up")
            outcome: Labelled | Exception = pipe.recv()
        except (EOFError, OSError) as error:
            raise _DiedError(_DIED) from error
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def _start(self) -> Connection:
        resource_tracker.ensure_running()  # which lifts the hold on signals, did it start within
        context = multiprocessing.get_context("spawn")
        with self._changing:
            if self._is_closed:
                raise _DiedError(_DIED)
            self._pipe, theirs = context.Pipe()
            self._process = context.Process(target=_work, args=(os.getpid(), theirs, self._task), daemon=True)
            with theirs, _starting, one_thread_each(), held_back(ENDING_SIGNALS):
                self._process.start()
            return self._pipe

    def _end(self) -> None:
        if self._process and self._process.pid:
            self._process.kill()
            self._process.join()
        self._process = self._pipe = None


class _DiedError(Exception):
    """A process that labels is no more, does not answer, or could not be started."""


def _work(parent: int, pipe: Connection, task: Task) -> None:
    """Answer chunks as long as the parent wants; it is left to the parent to end this process."""
    end_with_parent(parent)
    if sys.stderr:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())  # libraries complain there of files
    labeller = _opened(task)
    # Few of the many objects that a chunk makes are part of cycles: these are looked for after it, not all the time.
    gc.freeze()
    gc.disable()
    while True:
        try:
            chunk: Chunk = pipe.recv()
        except EOFError:
            return
        pipe.send(_outcome(labeller, chunk))
        gc.collect()


def _opened(task: Task) -> Labeller | AudiomnistError:
    try:
        return Labeller(task, _model(task))
    except AudiomnistError as error:
        return error


def _model(task: Task) -> Hear:
    model = inference.load(task.bundle, threads=1)
    if model.version != task.stamp.model_version:
        raise BundleError(f"{task.bundle} was exchanged while the run was beginning: run again")
    return hearing(model)


def _outcome(labeller: Labeller | AudiomnistError, chunk: Chunk) -> Labelled | Exception:
    """Return what came of a chunk; an error is the parent's to raise, with where it comes from.

    Want of memory ends this process, as it does where the system notices it first.
    """
    if isinstance(labeller, AudiomnistError):
        return labeller
    try:
        return labeller.label(chunk)
    except MemoryError:
        sys.exit(1)
    except Exception as error:  # noqa: BLE001 - it is raised again in the parent
        error.add_note(traceback.format_exc())
        return error

"""Who labels: this process itself, or several beside it.

A process that dies, for want of memory or by a fault in a library, takes no file with it: what it had in hand is
labelled again in halves, each by a process of its own, until the one file that kills it is found and deferred.
"""

import signal
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing

from audiomnist import inference
from audiomnist.bundle import BundleError
from audiomnist.errors import AudiomnistError
from audiomnist.hearing import Hear, hearing
from audiomnist.processes import pool
from audiomnist.scoring.inbox import Candidate, Deferred
from audiomnist.scoring.labeller import Labelled, Labeller, Task

Chunk = Sequence[Candidate]

_AHEAD = 2
_DIED = "made the process die that read it, perhaps for want of memory"

_own: list[Labeller | AudiomnistError] = []


def labelled(task: Task, hear: Hear, chunks: Iterable[Chunk], workers: int) -> Iterator[Labelled]:
    """Label chunks of candidates, in their order; only some of them are held at a time.

    Args:
        task: what files are judged by.
        hear: its model, opened in this process.
        chunks: taken as there is room for them.
        workers: processes; 1 is this one, and no other is started.
    """
    return _alone(Labeller(task, hear), chunks) if workers == 1 else _together(task, iter(chunks), workers)


def _alone(labeller: Labeller, chunks: Iterable[Chunk]) -> Iterator[Labelled]:
    with closing(labeller):
        for chunk in chunks:
            yield labeller.label(chunk)


def _together(task: Task, chunks: Iterator[Chunk], workers: int) -> Iterator[Labelled]:
    waiting: deque[tuple[Chunk, Future[Labelled]]] = deque()
    is_left = True
    while is_left:
        try:
            with pool(workers, _start, task) as processes:
                for chunk in chunks:
                    waiting.append((chunk, _submitted(processes, chunk)))
                    if len(waiting) == workers * _AHEAD:
                        yield _first_of(waiting)
                while waiting:
                    yield _first_of(waiting)
            is_left = False
        except BrokenProcessPool:
            while waiting:
                yield _carefully(task, waiting.popleft()[0])


def _submitted(processes: ProcessPoolExecutor, chunk: Chunk) -> Future[Labelled]:
    """Hand a chunk to the processes; if these have died by now, return a future that says so."""
    try:
        return processes.submit(_label, chunk)
    except BrokenProcessPool as error:
        future: Future[Labelled] = Future()
        future.set_exception(error)
        return future


def _first_of(waiting: deque[tuple[Chunk, Future[Labelled]]]) -> Labelled:
    result = waiting[0][1].result()
    waiting.popleft()
    return result


def _carefully(task: Task, chunk: Chunk) -> Labelled:
    try:
        with pool(1, _start, task) as process:
            return process.submit(_label, chunk).result()
    except BrokenProcessPool:
        if len(chunk) == 1:
            return Labelled.of_none([Deferred(chunk[0].path, "worker_died", _DIED)])
        half = len(chunk) // 2
        return _carefully(task, chunk[:half]).joined(_carefully(task, chunk[half:]))


def _start(task: Task) -> None:
    """Open the model in this process, and leave it to the parent to end it and to tell what is wrong with the model."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    try:
        _own[:] = [Labeller(task, _model(task))]
    except AudiomnistError as error:
        _own[:] = [error]


def _model(task: Task) -> Hear:
    model = inference.load(task.bundle, threads=1)
    if model.version != task.stamp.model_version:
        raise BundleError(f"{task.bundle} was exchanged while the run was beginning: run again")
    return hearing(model)


def _label(chunk: Chunk) -> Labelled:
    (own,) = _own
    if isinstance(own, AudiomnistError):
        raise own
    return own.label(chunk)

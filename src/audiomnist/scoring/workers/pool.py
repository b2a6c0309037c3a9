"""Who labels: this process itself, or several beside it, each of which is replaced when it dies."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from queue import SimpleQueue

from audiomnist.scoring.workers.scorer import Chunk, Labelled, Labeller, Task
from audiomnist.scoring.workers.worker import Worker
from audiomnist.serving.predictor import Hear

_AHEAD = 2


def labelled(task: Task, hear: Hear, chunks: Iterable[Chunk], workers: int) -> Generator[Labelled, None, None]:
    """Label chunks of candidates, in their order; only some of them are held at a time.

    Args:
        task: what files are judged by.
        hear: its model, opened in this process.
        chunks: taken as there is room for them.
        workers: processes; 1 is this one, and no other is started.
    """
    return _alone(Labeller(task, hear), chunks) if workers == 1 else _together(task, chunks, workers)


def _alone(labeller: Labeller, chunks: Iterable[Chunk]) -> Generator[Labelled, None, None]:
    with closing(labeller):
        for chunk in chunks:
            yield labeller.label(chunk)


def _together(task: Task, chunks: Iterable[Chunk], workers: int) -> Generator[Labelled, None, None]:
    waiting: deque[Future[Labelled]] = deque()
    with _processes(task, workers) as submit:
        for chunk in chunks:
            waiting.append(submit(chunk))
            if len(waiting) == workers * _AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


@contextmanager
def _processes(task: Task, count: int) -> Iterator[Callable[[Chunk], Future[Labelled]]]:
    """Yield what hands a chunk to the process that is free first; for each of them a thread of this one waits."""
    workers = [Worker(task) for _ in range(count)]
    free: SimpleQueue[Worker] = SimpleQueue()
    for worker in workers:
        free.put(worker)
    threads = ThreadPoolExecutor(count)
    try:
        yield lambda chunk: threads.submit(_label, free, chunk)
    finally:
        threads.shutdown(wait=False, cancel_futures=True)
        for worker in workers:
            worker.close()
        threads.shutdown()


def _label(free: SimpleQueue[Worker], chunk: Chunk) -> Labelled:
    worker = free.get()
    try:
        return worker.label(chunk)
    finally:
        free.put(worker)

"""The processes that label, each of which is replaced when it dies."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from queue import SimpleQueue

from audiomnist.scoring.workers.scorer import Chunk, Labelled, Task
from audiomnist.scoring.workers.worker import Worker

_AHEAD = 2


def labelled(task: Task, chunks: Iterable[Chunk], workers: int) -> Generator[Labelled, None, None]:
    """Label chunks of candidates, in their order; only some of them are held at a time.

    Args:
        task: what files are judged by.
        chunks: taken as there is room for them.
        workers: processes, each of which starts with the first chunk that it is given.
    """
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

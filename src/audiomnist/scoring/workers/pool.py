"""Pool of scoring processes, each of which is replaced when it dies."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from queue import SimpleQueue

from audiomnist.scoring.workers.scorer import Chunk, ScoredChunk, ScoringTask
from audiomnist.scoring.workers.worker import Worker

_QUEUED_PER_WORKER = 2


def scored_chunks(task: ScoringTask, chunks: Iterable[Chunk], workers: int) -> Generator[ScoredChunk, None, None]:
    """Score chunks of files, in order, with processes that start with their first chunk.

    Chunks are consumed as workers become free; a few per worker are in memory at a time.
    """
    pending: deque[Future[ScoredChunk]] = deque()
    with _processes(task, workers) as submit:
        for chunk in chunks:
            pending.append(submit(chunk))
            if len(pending) == workers * _QUEUED_PER_WORKER:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()


@contextmanager
def _processes(task: ScoringTask, count: int) -> Iterator[Callable[[Chunk], Future[ScoredChunk]]]:
    """Yield a function that submits a chunk to the first free process, with a thread that waits for each process."""

    def score(chunk: Chunk) -> ScoredChunk:
        worker = free.get()
        try:
            return worker.score(chunk)
        finally:
            free.put(worker)

    workers = [Worker(task) for _ in range(count)]
    free: SimpleQueue[Worker] = SimpleQueue()
    for worker in workers:
        free.put(worker)
    threads = ThreadPoolExecutor(count)
    try:
        yield lambda chunk: threads.submit(score, chunk)
    finally:
        threads.shutdown(wait=False, cancel_futures=True)
        for worker in workers:
            worker.close()
        threads.shutdown()

"""Pool of scoring processes, each of which is replaced when it dies."""

from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue

from audiomnist.scoring.workers.scorer import Chunk, ScoredChunk, ScoringTask
from audiomnist.scoring.workers.worker import Worker


def scored_chunks(task: ScoringTask, chunks: Iterable[Chunk], workers: int) -> Generator[ScoredChunk, None, None]:
    """Score chunks of files, in order, with processes that start with their first chunk.

    Chunks are consumed as workers become free; two per worker are in memory at a time.
    """
    processes = [Worker(task) for _ in range(workers)]
    free: SimpleQueue[Worker] = SimpleQueue()
    for process in processes:
        free.put(process)
    threads = ThreadPoolExecutor(workers)  # each thread waits for one process
    pending: deque[Future[ScoredChunk]] = deque()
    try:
        for chunk in chunks:
            pending.append(threads.submit(_score, free, chunk))
            if len(pending) == 2 * workers:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        threads.shutdown(wait=False, cancel_futures=True)
        for process in processes:
            process.close()
        threads.shutdown()


def _score(free: SimpleQueue[Worker], chunk: Chunk) -> ScoredChunk:
    worker = free.get()
    try:
        return worker.score(chunk)
    finally:
        free.put(worker)

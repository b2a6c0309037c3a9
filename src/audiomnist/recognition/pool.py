"""Processes that each hold a recogniser and use one thread."""

import multiprocessing
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager

from audiomnist.recognition import worker
from audiomnist.recognition.engines import Loader
from audiomnist.recognition.params import TranscribeParams
from audiomnist.recognition.protocol import RecognitionError

# Read by the linear algebra under NumPy when it is loaded. Its threads cost Whisper 40% more CPU time.
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@contextmanager
def recognisers(processes: int, params: TranscribeParams, load: Loader) -> Iterator[ProcessPoolExecutor]:
    """Yield a pool whose processes are ready for `worker.run`; work still queued at the end is dropped.

    Raises:
        RecognitionError: a process died.
    """
    context = multiprocessing.get_context("spawn")
    with _one_thread_each():
        pool = ProcessPoolExecutor(processes, context, initializer=worker.start, initargs=(load, params))
        try:
            yield pool
        except BrokenProcessPool as error:
            raise RecognitionError(
                "a process of the recogniser died, perhaps for want of memory: run the stage again, with "
                "fewer transcribe.workers if need be; what was finished is kept"
            ) from error
        finally:
            pool.shutdown(cancel_futures=True)


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Give the processes that start meanwhile one thread for linear algebra."""
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value

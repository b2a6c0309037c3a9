"""Processes that each hold a recognizer and use one thread: more threads cost Whisper 40% more CPU time."""

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager

from audiomnist.asr import worker
from audiomnist.asr.params import TranscribeParams
from audiomnist.asr.recognizer import RecognitionError
from audiomnist.asr.registry import Loader
from audiomnist.core.processes import process_pool


@contextmanager
def recognizers(processes: int, params: TranscribeParams, load: Loader) -> Iterator[ProcessPoolExecutor]:
    """Yield a pool whose processes are ready for `worker.run`; work still queued at the end is dropped.

    Raises:
        RecognitionError: a process died.
    """
    with process_pool(processes, worker.start, load, params) as started:
        try:
            yield started
        except BrokenProcessPool as error:
            raise RecognitionError(
                "a process of the recognizer died, perhaps for want of memory: run the stage again, with "
                "fewer transcribe.num_workers if need be; what was finished is kept"
            ) from error

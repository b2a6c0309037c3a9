"""Worker processes of the stage `transcribe`: each holds one recognizer and uses one thread.

More threads cost Whisper 40% more CPU time.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path

from audiomnist.asr.params import TranscribeParams
from audiomnist.asr.recognizer import Recognition, RecognitionError, Recognizer
from audiomnist.asr.registry import Loader
from audiomnist.asr.utterance import Utterance
from audiomnist.audio.waveform import BadAudioError
from audiomnist.core.processes import process_pool
from audiomnist.transcripts.table import Status

_UNUSABLE = (BadAudioError, ValueError, ArithmeticError, RuntimeError)

_loaded: list[Recognizer] = []


@contextmanager
def worker_pool(processes: int, params: TranscribeParams, load: Loader) -> Iterator[ProcessPoolExecutor]:
    """Yield a pool whose processes can run `recognize`; work that is still queued at the end is dropped.

    Raises:
        RecognitionError: a process died.
    """
    with process_pool(processes, _load, load, params) as pool:
        try:
            yield pool
        except BrokenProcessPool as error:
            raise RecognitionError(
                "a process of the recognizer died, perhaps for want of memory: run the stage again, with "
                "fewer transcribe.num_workers if need be; finished clips are kept"
            ) from error


def _load(load: Loader, params: TranscribeParams) -> None:
    _loaded[:] = [load(params)]


def recognize(utterances: Sequence[Utterance], raw: Path) -> list[Recognition]:
    """Return one result per utterance; after an error in a batch, its clips are recognized one by one.

    Raises:
        RecognitionError: the recognizer does not work.
    """
    [recognizer] = _loaded
    try:
        return recognizer.recognize([utterance.waveform(raw) for utterance in utterances])
    except _UNUSABLE:
        return [_recognize_one(recognizer, utterance, raw) for utterance in utterances]


def _recognize_one(recognizer: Recognizer, utterance: Utterance, raw: Path) -> Recognition:
    try:
        [recognition] = recognizer.recognize([utterance.waveform(raw)])
    except _UNUSABLE as error:
        return Recognition(Status.FAILED, reason=str(error))
    return recognition

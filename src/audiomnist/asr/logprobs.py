"""The stage `logprobs`: log-probabilities of Whisper's first token, computed by several processes."""

from collections.abc import Callable
from concurrent.futures import as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

from audiomnist.asr.first_token import FirstTokenModel
from audiomnist.asr.params import TranscribeParams
from audiomnist.asr.progress import progress
from audiomnist.asr.recognizer import RecognitionError
from audiomnist.audio import waveform
from audiomnist.core import atomic
from audiomnist.core.processes import available_cores, process_pool
from audiomnist.corpus import manifest as manifests
from audiomnist.corpus.manifest import Recording
from audiomnist.logprobs import table
from audiomnist.logprobs.params import LogprobsParams

# Recordings per task of a process: enough to fill batches of equal contexts.
_TASK_CLIPS = 128

Loader = Callable[[LogprobsParams, TranscribeParams], FirstTokenModel]

_loaded: list[FirstTokenModel] = []


def load(params: LogprobsParams, transcribe: TranscribeParams) -> FirstTokenModel:
    """Return the model with the weights of `transcribe.whisper`; raises RecognitionError if they cannot be loaded."""
    whisper = transcribe.whisper
    return FirstTokenModel(params, whisper.weights, whisper.compute_type, transcribe.model_path)


def write_logprobs(
    manifest: Path,
    raw: Path,
    params: LogprobsParams,
    transcribe: TranscribeParams,
    out: Path,
    load: Loader = load,
) -> None:
    """Read every recording with the recognizer; write the table, in the order of the manifest.

    Args:
        manifest: of the recordings.
        raw: the folder with the recordings.
        params: how a clip is read.
        transcribe: weights, arithmetic and number of processes.
        out: the folder of the table.
        load: returns the model, here and in each process; picklable.

    Raises:
        ManifestError: the recordings differ from the manifest.
        BadAudioError: a recording cannot be read.
        RecognitionError: the recognizer cannot be loaded, or a process died.
    """
    recordings = manifests.read(manifest)
    manifests.verify(raw, recordings, str(raw))
    record = load(params, transcribe).record()
    tasks = [recordings[start : start + _TASK_CLIPS] for start in range(0, len(recordings), _TASK_CLIPS)]
    rows = _rows(tasks, raw, transcribe.num_workers, load, params, transcribe)
    with atomic.replaced_directory(out) as folder:
        table.write(folder, [rows[recording.file] for recording in recordings], record)


def _rows(tasks: list[list[Recording]], raw: Path, workers: int, *arguments: Any) -> dict[str, dict[str, Any]]:
    """Return the rows by file; `arguments` are those of `_start`."""
    rows: dict[str, dict[str, Any]] = {}
    processes = max(1, min(workers or available_cores(), len(tasks)))
    with progress("logprobs", sum(map(len, tasks))) as advance, process_pool(processes, _start, *arguments) as pool:
        futures = [pool.submit(_read, task, raw) for task in tasks]
        try:
            for future in as_completed(futures):
                rows |= {row["file"]: row for row in future.result()}
                advance(len(future.result()))
        except BrokenProcessPool as error:
            raise RecognitionError(
                "a process of the recognizer died, perhaps for want of memory: run the stage again, with "
                "fewer transcribe.num_workers if need be"
            ) from error
    return rows


def _start(load: Loader, params: LogprobsParams, transcribe: TranscribeParams) -> None:
    _loaded[:] = [load(params, transcribe)]


def _read(recordings: list[Recording], raw: Path) -> list[dict[str, Any]]:
    """Return a row per recording."""
    [model] = _loaded
    found = model.read([waveform.read(raw / recording.file) for recording in recordings])
    return [
        {"file": row.file, "sha256": row.sha256, "context": token.context, "logprobs": token.logprobs.tolist()}
        for row, token in zip(recordings, found, strict=True)
    ]

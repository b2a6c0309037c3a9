"""The stage `transcribe`: a text for every recording, by several processes, resumable.

A run that was cut off, by a crash, by SIGKILL or by the network, goes on where it was: see `finished`.
"""

import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, as_completed
from pathlib import Path

import pyarrow as pa

from audiomnist.asr import registry, worker
from audiomnist.asr.cache import Finished, Identity, Row
from audiomnist.asr.metrics import summarize
from audiomnist.asr.params import TranscribeParams
from audiomnist.asr.pool import recognizers
from audiomnist.asr.progress import progress
from audiomnist.asr.registry import Loader
from audiomnist.asr.utterance import Utterance
from audiomnist.asr.worker import Outcome
from audiomnist.core import atomic, processes
from audiomnist.corpus import info
from audiomnist.corpus import manifest as manifests
from audiomnist.transcripts import table as transcripts
from audiomnist.transcripts.table import Status

_log = logging.getLogger(__name__)

Batch = Sequence[Utterance]


def transcribe(
    manifest: Path,
    raw: Path,
    params: TranscribeParams,
    out: Path,
    report: Path,
    *,
    corpus: Path,
    work: Path,
    load: Loader = registry.load,
) -> None:
    """Recognize every recording, and augmented copies beside them; write the tables and the report.

    Args:
        manifest: of the recordings.
        raw: the folder that holds them.
        params: the recognizer and its settings.
        out: the folder for the tables, in the order of the manifest.
        report: the metrics (JSON).
        corpus: the JSON that names the dataset.
        work: the folder for finished batches; empty or gone after success.
        load: makes the recognizer, here and in each process; a function that can be pickled.

    Raises:
        ManifestError: the recordings are not those of the manifest.
        RecognitionError: the recognizer cannot be loaded or goes out of order; finished batches are kept.
    """
    recordings = manifests.read(manifest)
    manifests.verify(raw, recordings, str(raw))
    recognizer = load(params)
    identity = Identity(recognizer.engine, recognizer.version, recognizer.weights_sha256, params.settings())
    del recognizer
    finished = Finished(work, identity)
    rows = finished.rows()
    numbers = range(1 + params.augment.copies_per_clip)
    sounds = {copy: [Utterance(recording, copy, params.augment) for recording in recordings] for copy in numbers}
    every = [sound for copy in numbers for sound in sounds[copy]]
    with progress("transcribe", len(every)) as advance:
        batches = _batches(every, rows, params.batch_size)
        advance(len(every) - sum(map(len, batches)))
        for batch, outcomes in _recognized(raw, batches, params, load):
            new = [_row(identity, *pair) for pair in zip(batch, outcomes, strict=True)]
            finished.keep([row for row in new if row["status"] != Status.FAILED])
            rows.update((row["sha256"], row) for row in new)
            advance(len(batch))
    table = _table(sounds[0], rows, identity)
    with atomic.replaced_directory(out) as folder:
        transcripts.write(folder, table)
        for copy in numbers[1:]:
            transcripts.write(folder, _table(sounds[copy], rows, identity), copy)
    summary = {"dataset": info.read(corpus).name, **summarize(table, [row.digit for row in recordings])}
    atomic.write_json(report, {"transcripts": summary})
    finished.clear()


def _batches(sounds: Batch, rows: dict[str, Row], batch_size: int) -> list[Batch]:
    """Return the sounds still to be recognized, each content once."""
    todo = list({sound.sha256: sound for sound in sounds if sound.sha256 not in rows}.values())
    return [todo[start : start + batch_size] for start in range(0, len(todo), batch_size)]


def _recognized(
    raw: Path, batches: list[Batch], params: TranscribeParams, load: Loader
) -> Iterator[tuple[Batch, list[Outcome]]]:
    """Yield the batches with their outcomes, as they are done; after a failure, all that is done first."""
    if not batches:
        return
    workers = min(params.num_workers or processes.available_cores(), len(batches))
    with recognizers(workers, params, load) as pool:
        futures: dict[Future[list[Outcome]], Batch] = {pool.submit(worker.run, batch, raw): batch for batch in batches}
        for future in as_completed(futures):
            if failure := future.exception():
                yield from [(batch, done.result()) for done, batch in futures.items() if _succeeded(done)]
                raise failure
            yield futures.pop(future), future.result()


def _succeeded(future: Future[list[Outcome]]) -> bool:
    return future.done() and not future.cancelled() and future.exception() is None


def _row(identity: Identity, sound: Utterance, outcome: Outcome) -> Row:
    recognition = outcome.recognition
    if recognition.status == Status.FAILED:
        _log.warning("%s is not transcribed: %s", sound.recording.file, outcome.reason)
    return {
        "file": sound.recording.file,
        "sha256": sound.sha256,
        "engine": identity.engine,
        "engine_version": identity.version,
        "status": str(recognition.status),
        "text": recognition.text,
        "hypotheses": [{"text": item.text, "score": item.score} for item in recognition.hypotheses],
    }


def _table(sounds: Batch, rows: dict[str, Row], identity: Identity) -> pa.Table:
    ordered = [rows[sound.sha256] | {"file": sound.recording.file} for sound in sounds]
    schema = transcripts.SCHEMA.with_metadata({transcripts.METADATA_KEY: identity.json()})
    return pa.Table.from_pylist(ordered, schema)

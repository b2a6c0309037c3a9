"""The stage `transcribe`: the transcripts of all recordings, computed by several processes.

An interrupted run is resumed: see `audiomnist.asr.cache`.
"""

import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, as_completed
from pathlib import Path

import pyarrow as pa

from audiomnist.asr import registry, worker
from audiomnist.asr.cache import Identity, RecognitionCache, Row
from audiomnist.asr.metrics import summarize
from audiomnist.asr.params import TranscribeParams
from audiomnist.asr.progress import progress
from audiomnist.asr.recognizer import Recognition
from audiomnist.asr.registry import Loader
from audiomnist.asr.utterance import Utterance
from audiomnist.core import atomic
from audiomnist.core.processes import available_cores
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
    """Recognize every recording and its augmented copies; write the tables and the report.

    Args:
        manifest: of the recordings.
        raw: the folder with the recordings.
        params: the recognizer and its settings.
        out: the folder of the tables, in the order of the manifest.
        report: the accuracy of the recognizer (JSON).
        corpus: the JSON with the dataset's name.
        work: the folder of the cache; empty or absent after success.
        load: returns the recognizer, here and in each process; picklable.

    Raises:
        ManifestError: the recordings differ from the manifest.
        RecognitionError: the recognizer cannot be loaded or stops working; finished batches are kept.
    """
    recordings = manifests.read(manifest)
    manifests.verify(raw, recordings, str(raw))
    identity = _identity(params, load)
    cache = RecognitionCache(work, identity)
    numbers = range(1 + params.augment.copies_per_clip)
    copies = [[Utterance(recording, copy, params.augment) for recording in recordings] for copy in numbers]
    rows = _recognize(raw, [utterance for copy in copies for utterance in copy], params, load, identity, cache)
    tables = [_table(utterances, rows, identity) for utterances in copies]
    with atomic.replaced_directory(out) as folder:
        for copy, table in enumerate(tables):
            transcripts.write(folder, table, copy)
    summary = {"dataset": info.read(corpus).name, **summarize(tables[0], [row.digit for row in recordings])}
    atomic.write_json(report, {"transcripts": summary})
    cache.clear()


def _identity(params: TranscribeParams, load: Loader) -> Identity:
    recognizer = load(params)
    return Identity(recognizer.engine, recognizer.version, recognizer.weights_sha256, params.settings())


def _recognize(
    raw: Path, utterances: Batch, params: TranscribeParams, load: Loader, identity: Identity, cache: RecognitionCache
) -> dict[str, Row]:
    """Return a row per content, by SHA-256: from the cache, and of each that it lacks once from a recognizer."""
    rows = cache.rows()
    missing = list({utterance.sha256: utterance for utterance in utterances if utterance.sha256 not in rows}.values())
    batches = [missing[start : start + params.batch_size] for start in range(0, len(missing), params.batch_size)]
    with progress("transcribe", len(utterances)) as advance:
        advance(len(utterances) - len(missing))
        for batch, results in _results(raw, batches, params, load):
            new = [_row(identity, utterance, result) for utterance, result in zip(batch, results, strict=True)]
            cache.add([row for row in new if row["status"] != Status.FAILED])
            rows.update((row["sha256"], row) for row in new)
            advance(len(batch))
    return rows


def _results(
    raw: Path, batches: Sequence[Batch], params: TranscribeParams, load: Loader
) -> Iterator[tuple[Batch, list[Recognition]]]:
    """Yield the batches with their results as they are finished; before an error is raised, all finished ones."""
    if not batches:
        return
    processes = min(params.num_workers or available_cores(), len(batches))
    with worker.worker_pool(processes, params, load) as pool:
        futures: dict[Future[list[Recognition]], Batch] = {
            pool.submit(worker.recognize, batch, raw): batch for batch in batches
        }
        for future in as_completed(futures):
            if error := future.exception():
                finished = [done for done in futures if done.done() and not done.cancelled() and not done.exception()]
                yield from [(futures[done], done.result()) for done in finished]
                raise error
            yield futures.pop(future), future.result()


def _row(identity: Identity, utterance: Utterance, recognition: Recognition) -> Row:
    if recognition.status == Status.FAILED:
        _log.warning("%s is not transcribed: %s", utterance.recording.file, recognition.reason)
    return {
        "file": utterance.recording.file,
        "sha256": utterance.sha256,
        "engine": identity.engine,
        "engine_version": identity.version,
        "status": str(recognition.status),
        "text": recognition.text,
        "hypotheses": [{"text": item.text, "score": item.score} for item in recognition.hypotheses],
    }


def _table(utterances: Batch, rows: dict[str, Row], identity: Identity) -> pa.Table:
    ordered = [rows[utterance.sha256] | {"file": utterance.recording.file} for utterance in utterances]
    schema = transcripts.SCHEMA.with_metadata({transcripts.METADATA_KEY: identity.json()})
    return pa.Table.from_pylist(ordered, schema)

"""One scoring run: every file of the inbox that the table lacks gets its row, exactly once.

Files are scored in chunks and committed in batches, so memory does not grow with the inbox, and a crash costs at most
one batch and the chunks in progress. The table is read before the inbox is listed, and only the table records what was
done: see `scoring.table.table` for why every row is written exactly once.
"""

import os
import time
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from uuid import uuid4

from audiomnist.scoring import records
from audiomnist.scoring.cluster import engine
from audiomnist.scoring.cluster.engine import Cluster
from audiomnist.scoring.inbox import paths
from audiomnist.scoring.inbox.discover import InboxError
from audiomnist.scoring.inbox.inbox import inbox_at
from audiomnist.scoring.inbox.selection import Selection
from audiomnist.scoring.new_files import new_chunks
from audiomnist.scoring.progress import Show, no_progress
from audiomnist.scoring.seen import SeenFiles
from audiomnist.scoring.shutdown import Stop
from audiomnist.scoring.summary import Counters, RunHeader, Summary
from audiomnist.scoring.table import lock
from audiomnist.scoring.table.table import Table
from audiomnist.scoring.workers import pool
from audiomnist.scoring.workers.scorer import Chunk, ScoredChunk, ScoringTask
from audiomnist.scoring.writer import TableWriter, committed_in_error
from audiomnist.serving.cascade import Cascade, load
from audiomnist.serving.model import Model
from audiomnist.serving.predictor import predictor
from audiomnist.storage.url import Place, Url

# Files per chunk: enough for batches of similar length, few where each file takes long.
_CHUNK_FILES = {"waveform": 512, "cascade": 512, "logprobs": 128, "transcript": 32}


@dataclass(frozen=True)
class ScoringConfig:
    """Settings of a run.

    Attributes:
        inbox: folder of the files to score, on this machine or in an object store.
        table: folder of the table, likewise; neither folder may contain the other.
        model: folder of the model bundle.
        min_confidence: labels with a lower confidence are withheld; in [0, 1].
        batch_size: rows per commit (>= 1).
        workers: number of scoring processes (>= 1), unless there is a cluster.
        selection: which files are taken; the others have no row.
        limit: maximum number of new files, whatever their outcome; None for all.
        rescore: whether files that only other models have scored are new.
        reread: whether to read files whose size and modification time are in the table.
        wait: whether to wait for another run that holds the lock.
        cluster: where files are scored; None for processes of this machine.
    """

    inbox: Place
    table: Place
    model: Path
    min_confidence: float = 0.0
    batch_size: int = 4096
    workers: int = 1
    selection: Selection = field(default_factory=Selection)
    limit: int | None = None
    rescore: bool = False
    reread: bool = False
    wait: bool = False
    cluster: Cluster | None = None


def score(config: ScoringConfig, show: Show = no_progress, stop: Stop | None = None) -> Summary:
    """Write a row for every new file of the inbox; return the summary of the run.

    `show` receives the counts after each chunk. Once `stop` is requested, the run takes no more files, commits finished
    rows and returns.

    Raises:
        ClusterError: the cluster cannot be used; the message has the number of committed rows, if any.
        BundleError, RecognitionError: the model cannot be used; the message has the number of committed rows, if any.
        InboxError: the inbox cannot be listed, or the table lies in it; nothing was written.
        LockedError: another run holds the lock of the table.
        TableError: the folder is not a table of this program, or cannot be read.
        TableWriteError: the table cannot be written; the message has the number of committed rows.
    """
    stop = stop or Stop()
    model = _checked_model(config)
    Table.find(config.table)
    with lock.held(config.table, wait=config.wait, stop=stop):
        return _ScoringRun(config, model, show, stop).score()


def preview(config: ScoringConfig, show: Show = no_progress, stop: Stop | None = None) -> Summary:
    """Return the summary of a run that counts new files as remaining; nothing is read or written."""
    return _ScoringRun(config, _checked_model(config), show, stop or Stop()).preview()


def _checked_model(config: ScoringConfig) -> Model | Cascade:
    """Return the model, after checking that it can predict, and where inbox and table are."""
    model = load(config.model, threads=1)
    predictor(model)
    if _contains(config.inbox, config.table) or _contains(config.table, config.inbox):
        raise InboxError(f"{config.inbox} and {config.table} lie one in the other: keep the table outside of the inbox")
    inbox_at(config.inbox).check()
    return model


def _contains(folder: Place, other: Place) -> bool:
    """Return whether a folder is the other one, or has it in it."""
    if isinstance(folder, Url) or isinstance(other, Url):
        return isinstance(folder, Url) and isinstance(other, Url) and folder.contains(other)
    return other.resolve().is_relative_to(folder.resolve())


class _ScoringRun:
    """Model and counts of one run, which starts when this object is created."""

    def __init__(self, config: ScoringConfig, model: Model | Cascade, show: Show, stop: Stop) -> None:
        self._config = config
        self._model = model
        self._show = show
        self._stop = stop
        self._start, started_at = time.monotonic(), datetime.now(UTC)
        self._header = RunHeader(
            run_id=f"{started_at:%Y%m%dT%H%M%SZ}-{uuid4().hex[:8]}",
            started_at=started_at,
            inbox=str(config.inbox) if isinstance(config.inbox, Url) else paths.text(os.fsencode(config.inbox)),
            model=model.description.model,
            model_version=model.version,
            dataset=model.description.dataset.name,
        )
        self._counters = Counters(model.description.reference)

    def preview(self) -> Summary:
        for chunk in self._new_chunks(self._seen(Table.find(self._config.table))):
            self._counters.add("remaining", len(chunk))
            self._show(self._counters.counts)
        return self._summary()

    def score(self) -> Summary:
        config, run_id = self._config, self._header.run_id
        table = Table.create(config.table)
        seen = self._seen(table)
        columns = records.run_columns(run_id, self._model.description, self._model.version)
        writer = TableWriter(table, seen, self._counters, columns, config.batch_size)
        inbox = config.inbox.absolute() if isinstance(config.inbox, Path) else config.inbox
        task = ScoringTask(inbox_at(inbox), config.model, self._model.version, config.min_confidence)
        scored = self._scored_chunks(task, self._new_chunks(seen))
        with committed_in_error(writer):
            with closing(scored):
                for chunk in scored:
                    writer.add(chunk)
                    self._show(self._counters.counts)
            summary = self._summary()
            writer.end(summary)
        return summary

    def _scored_chunks(self, task: ScoringTask, chunks: Iterator[Chunk]) -> Generator[ScoredChunk, None, None]:
        if (cluster := self._config.cluster) is None:
            return pool.scored_chunks(task, chunks, self._config.workers)
        return engine.scored_chunks(task, chunks, cluster, self._stop, partial(self._counters.add, "remaining"))

    def _seen(self, table: Table | None) -> SeenFiles:
        return SeenFiles.read(table, self._model.version, rescore=self._config.rescore)

    def _new_chunks(self, seen: SeenFiles) -> Iterator[Chunk]:
        config = self._config
        return new_chunks(
            inbox_at(config.inbox).entries(config.selection),
            seen,
            self._counters,
            self._stop,
            limit=config.limit,
            reread=config.reread,
            chunk_files=_CHUNK_FILES[self._model.kind],
        )

    def _summary(self) -> Summary:
        seconds = time.monotonic() - self._start
        summary = self._counters.summary(self._header, datetime.now(UTC), seconds, interrupted=self._stop.requested)
        summary.check()
        return summary

"""One run: every file of the inbox that the table does not have gets its row, exactly once.

Files are labelled in chunks and committed in batches, so that memory does not grow with the inbox and a crash costs
at most the work of one batch and of the chunks in hand. What the table has is read before the inbox is looked at, and
nothing but the table remembers what was done: `scoring.table.table` says why that gives every row exactly once.
"""

import os
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from audiomnist.asr.recognizer import RecognitionError
from audiomnist.scoring.inbox import paths
from audiomnist.scoring.inbox.discover import InboxError, check_listable, discover
from audiomnist.scoring.new_files import Intake, Terms
from audiomnist.scoring.progress import Progress
from audiomnist.scoring.records import Stamp
from audiomnist.scoring.seen import Known
from audiomnist.scoring.shutdown import Stop
from audiomnist.scoring.summary import Run, Summary, Tally
from audiomnist.scoring.table import lock
from audiomnist.scoring.table.table import Table
from audiomnist.scoring.workers import pool
from audiomnist.scoring.workers.scorer import Task
from audiomnist.scoring.writer import Ledger
from audiomnist.serving import model as inference
from audiomnist.serving.bundle.description import BundleError, TranscriptInput
from audiomnist.serving.model import Model
from audiomnist.serving.predictor import hearing

# Files that a process labels in one go: enough for batches of like length, few where each takes long.
_CHUNK_WAVEFORMS, _CHUNK_TRANSCRIPTS = 512, 32


@dataclass(frozen=True)
class Order:
    """What a run is to do.

    Attributes:
        inbox: the folder of files.
        table: the folder of the table; neither lies in the other.
        model: the folder of the bundle.
        min_confidence: below it the label is withheld, in [0, 1].
        batch_size: rows of a commit (>= 1).
        workers: processes that label (>= 1).
        limit: how many new files are taken at most, whatever becomes of them; None for all.
        rescore: whether files that only other models have judged are new.
        reread: whether files are read whose size and time the table has.
        wait: whether to wait for another run that holds the table.
    """

    inbox: Path
    table: Path
    model: Path
    min_confidence: float = 0.0
    batch_size: int = 4096
    workers: int = 1
    limit: int | None = None
    rescore: bool = False
    reread: bool = False
    wait: bool = False


def score(order: Order, progress: Progress, stop: Stop) -> Summary:
    """Give every new file of the inbox its row; return what came of the run.

    Args:
        order: what to do.
        progress: is told of the counts as they grow.
        stop: once it is set the run takes no more files, commits what is done, and ends.

    Raises:
        BundleError, RecognitionError: the model cannot be used; says what this run committed before, if it did.
        InboxError: the inbox cannot be listed, or the table lies in it; nothing was written.
        LockedError: another run holds the table.
        TableError: the folder is no table of ours, or cannot be read.
        TableWriteError: the table cannot be written; says what this run committed before.
    """
    model = _usable(order.model)
    _check_places(order)
    Table.find(order.table)
    with lock.held(order.table, wait=order.wait, stop=stop):
        return _Run(order, model, progress, stop).score()


def preview(order: Order, progress: Progress, stop: Stop) -> Summary:
    """Return what a run would find, its new files counted as left; nothing is read, and nothing written."""
    model = _usable(order.model)
    _check_places(order)
    return _Run(order, model, progress, stop).preview()


def _check_places(order: Order) -> None:
    inbox, table = order.inbox.resolve(), order.table.resolve()
    if inbox == table or inbox in table.parents or table in inbox.parents:
        raise InboxError(f"{order.inbox} and {order.table} lie one in the other: keep the table outside of the inbox")
    check_listable(order.inbox)


def _usable(folder: Path) -> Model:
    """Return the model of a bundle, its recogniser tried as well."""
    model = inference.load(folder, threads=1)
    hearing(model)
    return model


class _Run:
    """A run with its model, and what is counted; it begins here."""

    def __init__(self, order: Order, model: Model, progress: Progress, stop: Stop) -> None:
        self._order, self._progress, self._stop = order, progress, stop
        self._began = time.monotonic()
        self._about = _about(order, model)
        self._stamp = Stamp.of(self._about.run_id, order.min_confidence, model.description, model.version)
        self._tally = Tally(model.description.reference)
        of_transcripts = isinstance(model.description.input, TranscriptInput)
        self._chunk_files = _CHUNK_TRANSCRIPTS if of_transcripts else _CHUNK_WAVEFORMS

    def preview(self) -> Summary:
        intake = self._intake(self._known(Table.find(self._order.table)))
        for chunk in intake.chunks():
            self._tally.add_left(len(chunk))
            self._progress.update(self._tally.counts)
        return self._summary()

    def score(self) -> Summary:
        table = Table.create(self._order.table)
        known = self._known(table)
        chunks = self._intake(known).chunks()
        ledger = Ledger(table, known, self._tally, self._about.run_id, self._order.batch_size)
        task = Task(self._order.inbox, self._order.model, self._stamp)
        with closing(pool.labelled(task, chunks, self._order.workers)) as parts, _telling(ledger):
            for labelled in parts:
                ledger.enter(labelled)
                self._progress.update(self._tally.counts)
        summary = self._summary()
        ledger.end(summary)
        return summary

    def _known(self, table: Table | None) -> Known:
        return Known.read(table, self._about.model_version, rescore=self._order.rescore)

    def _intake(self, known: Known) -> Intake:
        terms = Terms(self._order.limit, self._order.reread, self._chunk_files, self._stop)
        return Intake(discover(self._order.inbox), known, self._tally, terms)

    def _summary(self) -> Summary:
        seconds = time.monotonic() - self._began
        summary = self._tally.summary(self._about, datetime.now(UTC), seconds, interrupted=self._stop.is_set())
        summary.check()
        return summary


@contextmanager
def _telling(ledger: Ledger) -> Iterator[None]:
    """Add to an error about the model how much was committed before."""
    try:
        yield
    except (BundleError, RecognitionError) as error:
        if not ledger.committed:
            raise
        raise type(error)(f"{error} (this run has committed {ledger.committed:,} rows)") from error


def _about(order: Order, model: Model) -> Run:
    started_at = datetime.now(UTC)
    return Run(
        run_id=f"{started_at:%Y%m%dT%H%M%SZ}-{uuid4().hex[:8]}",
        started_at=started_at,
        inbox=paths.text(os.fsencode(order.inbox)),
        model=model.description.model,
        model_version=model.version,
        dataset=model.description.dataset.name,
    )

"""Entering what came of files: each is counted once, and each new row goes to the table in a commit."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pyarrow as pa

from audiomnist.scoring import records
from audiomnist.scoring.inbox import paths
from audiomnist.scoring.records import Facts, Stamp, Verdict
from audiomnist.scoring.seen import Known
from audiomnist.scoring.summary import Summary, Tally
from audiomnist.scoring.table.history import RUN, RUN_ID
from audiomnist.scoring.table.location import TableWriteError
from audiomnist.scoring.table.schema import SCHEMA
from audiomnist.scoring.table.table import Table
from audiomnist.scoring.workers.scorer import Labelled

_COUNTED = ("path", "status", "digit", "confidence", "duration_s", "reason", "message")


class Ledger:
    """The rows of one run on their way to the table.

    Attributes:
        committed: how many rows the run has committed.
    """

    def __init__(self, table: Table, known: Known, tally: Tally, stamp: Stamp, batch_size: int) -> None:
        """Take the table and what it has, what counts, what rows of the run share, and how many rows a commit has."""
        self.committed = 0
        self._table, self._known, self._tally, self._stamp = table, known, tally, stamp
        self._batch_size = batch_size
        self._pending: pa.Table = SCHEMA.empty_table()
        self._uncommitted: set[str | None] = set()
        self._judged: list[Facts] = []

    def enter(self, labelled: Labelled) -> int:
        """Count what came of some files, and commit once there are rows enough; return how many files are new."""
        for item in labelled.deferred:
            self._tally.add_deferred(paths.text(item.path), item.reason, item.sentence)
        new = self._add(labelled.rows, labelled.seconds)
        copies = [facts for facts in labelled.judged if not self._known.has_row(facts.path, facts.content_sha256)]
        self._tally.add_known(len(labelled.judged) - len(copies))
        self._judged += copies
        if len(self._judged) >= self._batch_size:
            self.enter_copies()
        self._commit_full_batches()
        return new + len(copies)

    def enter_unread(self, unread: list[tuple[Facts, Verdict]]) -> None:
        """Enter the rows of things that are rejected without being read."""
        if unread:
            self._add(records.table(unread, self._stamp, datetime.now(UTC)), [0.0] * len(unread))
            self._commit_full_batches()

    def end(self, summary: Summary) -> None:
        """Commit the rest, and the run's summary with it."""
        self._commit_full_batches()
        self._commit({RUN: summary.to_json()})
        with self._telling():
            self._table.compact()

    def _add(self, made: pa.Table, seconds: list[float]) -> int:
        """Count rows and keep them for a commit, but for those that the table has; return how many it has not."""
        contents = made["content_sha256"].to_pylist()
        is_new = [
            not self._known.has_row(*identity) for identity in zip(made["path"].to_pylist(), contents, strict=True)
        ]
        counted = zip(*(made[column].to_pylist() for column in _COUNTED), strict=True)
        for columns, content, took, new in zip(counted, contents, seconds, is_new, strict=True):
            if new:
                told = dict(zip(_COUNTED, columns, strict=True))
                self._tally.add_row(**told, seconds=took, copied=self._is_copy(content))
                self._uncommitted.add(content)
        self._tally.add_known(is_new.count(False))
        new_rows = made if all(is_new) else made.filter(pa.array(is_new, pa.bool_()))
        self._pending = pa.concat_tables([self._pending, new_rows])
        return len(new_rows)

    def enter_copies(self) -> None:
        """Make rows for files whose content the table has the model's answer to; it is read once for many of them."""
        judged, self._judged = self._judged, []
        if not judged:
            return
        contents = [str(facts.content_sha256) for facts in judged]
        answered = self._table.lookup(contents, self._stamp.model_version)
        by_content = {row["content_sha256"]: row for row in answered.to_pylist()}
        made = [
            records.copied(facts, by_content[content], self._stamp.min_confidence)
            for facts, content in zip(judged, contents, strict=True)
        ]
        self._add(records.table(made, self._stamp, datetime.now(UTC)), [0.0] * len(made))

    def _is_copy(self, content: str | None) -> bool:
        """Return whether a row with this content was made before."""
        return content is not None and (content in self._uncommitted or self._known.has_content(content))

    def _commit_full_batches(self) -> None:
        while len(self._pending) > self._batch_size:
            self._commit({})

    def _commit(self, metadata: dict[str, str]) -> None:
        batch, self._pending = self._pending[: self._batch_size], self._pending[self._batch_size :]
        with self._telling():
            self._table.append(batch, {RUN_ID: self._stamp.run_id, **metadata})
        self._known.add_contents(batch)
        self._uncommitted = set(self._pending["content_sha256"].to_pylist())
        self.committed += len(batch)

    @contextmanager
    def _telling(self) -> Iterator[None]:
        """Add to what goes wrong how much was committed before."""
        try:
            yield
        except TableWriteError as error:
            raise TableWriteError(f"{error} (this run has committed {self.committed:,} rows)") from error

"""Entering what came of files: each is counted once, and each new row goes to the table in a commit."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import compress

import pyarrow as pa

from audiomnist.scoring.inbox import paths
from audiomnist.scoring.seen import Known
from audiomnist.scoring.summary import Summary, Tally
from audiomnist.scoring.table.history import RUN, RUN_ID
from audiomnist.scoring.table.location import TableWriteError
from audiomnist.scoring.table.schema import SCHEMA
from audiomnist.scoring.table.table import Table
from audiomnist.scoring.workers.scorer import Labelled

_COUNTED = ["path", "status", "digit", "confidence", "duration_s", "reason", "message"]


class Ledger:
    """The rows of one run on their way to the table.

    Attributes:
        committed: how many rows the run has committed.
    """

    def __init__(self, table: Table, known: Known, tally: Tally, run_id: str, batch_size: int) -> None:
        """Take the table and what it has, what counts, which run it is, and how many rows a commit has."""
        self.committed = 0
        self._table, self._known, self._tally = table, known, tally
        self._run_id, self._batch_size = run_id, batch_size
        self._pending: pa.Table = SCHEMA.empty_table()

    def enter(self, labelled: Labelled) -> None:
        """Count what came of some files, and commit their rows once there are enough."""
        for item in labelled.deferred:
            self._tally.add_deferred(paths.text(item.path), item.reason, item.sentence)
        self._pending = pa.concat_tables([self._pending, self._counted(labelled)])
        while len(self._pending) > self._batch_size:
            self._commit({})

    def end(self, summary: Summary) -> None:
        """Commit the rest, and the run's summary with it."""
        self._commit({RUN: summary.to_json()})
        with self._telling():
            self._table.compact()

    def _counted(self, labelled: Labelled) -> pa.Table:
        """Return those rows that the table does not have; all are counted, as new or as known."""
        rows = labelled.rows
        identities = zip(rows["path"].to_pylist(), rows["content_sha256"].to_pylist(), strict=True)
        is_new = [not self._known.has_row(*identity) for identity in identities]
        self._tally.add_known(is_new.count(False))
        counted = zip(rows.select(_COUNTED).to_pylist(), labelled.seconds, strict=True)
        for row, seconds in compress(counted, is_new):
            self._tally.add_row(**row, seconds=seconds)
        return rows if all(is_new) else rows.filter(pa.array(is_new, pa.bool_()))

    def _commit(self, metadata: dict[str, str]) -> None:
        batch, self._pending = self._pending[: self._batch_size], self._pending[self._batch_size :]
        with self._telling():
            self._table.append(batch, {RUN_ID: self._run_id, **metadata})
        self.committed += len(batch)

    @contextmanager
    def _telling(self) -> Iterator[None]:
        """Add to what goes wrong how much was committed before."""
        try:
            yield
        except TableWriteError as error:
            raise TableWriteError(f"{error} (this run has committed {self.committed:,} rows)") from error

"""Writing the rows of a run: each file is counted once, and new rows are committed in batches."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pyarrow as pa

from audiomnist.asr.recognizer import RecognitionError
from audiomnist.scoring import records
from audiomnist.scoring.cluster.remote import ClusterError
from audiomnist.scoring.inbox import paths
from audiomnist.scoring.inbox.discover import InboxError
from audiomnist.scoring.seen import SeenFiles
from audiomnist.scoring.summary import Counters, Summary
from audiomnist.scoring.table.history import RUN, RUN_ID
from audiomnist.scoring.table.location import TableWriteError
from audiomnist.scoring.table.schema import SCHEMA
from audiomnist.scoring.table.table import Table
from audiomnist.scoring.workers.scorer import ScoredChunk
from audiomnist.serving.bundle.description import BundleError


class TableWriter:
    """Counts the files of one run and commits their rows; `committed` is the number of committed rows."""

    def __init__(
        self, table: Table, seen: SeenFiles, counters: Counters, columns: dict[str, str], batch_size: int
    ) -> None:
        """Write to a table, in commits of `batch_size` rows, what is not in `seen`.

        `columns` are those of `records.run_columns`.
        """
        self.committed = 0
        self._table = table
        self._seen = seen
        self._counters = counters
        self._columns = columns
        self._batch_size = batch_size
        self._pending: pa.Table = SCHEMA.empty_table()

    def add(self, chunk: ScoredChunk) -> None:
        """Count the files of a chunk, and commit rows as soon as there are more than a batch."""
        for file in chunk.deferred:
            self._counters.add_deferred(paths.text(file.path), file.reason, file.detail)
        self._pending = pa.concat_tables([self._pending, self._new_rows(chunk)])
        while len(self._pending) > self._batch_size:
            self._commit({})

    def end(self, summary: Summary) -> None:
        """Commit the remaining rows together with the summary."""
        self._commit({RUN: summary.to_json()})
        self._table.compact()

    def _new_rows(self, chunk: ScoredChunk) -> pa.Table:
        """Return the rows that the table lacks; count all of them, as new or as unchanged."""
        new = [
            result for result in chunk.results if not self._seen.has_row(result.info.path, result.info.content_sha256)
        ]
        self._counters.add("unchanged", len(chunk.results) - len(new))
        for result in new:
            self._counters.add_result(result)
        return records.table(new, self._columns, datetime.now(UTC))

    def _commit(self, metadata: dict[str, str]) -> None:
        batch, self._pending = self._pending[: self._batch_size], self._pending[self._batch_size :]
        self._table.append(batch, {RUN_ID: self._columns["run_id"], **metadata})
        self.committed += len(batch)


@contextmanager
def committed_in_error(writer: TableWriter) -> Iterator[None]:
    """Add the number of committed rows to the message of an error; to another one only if there are any."""
    try:
        yield
    except (BundleError, ClusterError, InboxError, RecognitionError, TableWriteError) as error:
        if not writer.committed and not isinstance(error, TableWriteError):
            raise
        raise type(error)(f"{error} (this run has committed {writer.committed:,} rows)") from error

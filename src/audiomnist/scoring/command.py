"""The command `audiomnist score` without its options: a run, its progress, its report and its exit status."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO, cast

from rich.console import Console

from audiomnist.asr.recognizer import RecognitionError
from audiomnist.core import extras
from audiomnist.scoring import run
from audiomnist.scoring.cluster.remote import ClusterError
from audiomnist.scoring.inbox.discover import InboxError
from audiomnist.scoring.progress import progress
from audiomnist.scoring.run import ScoringConfig
from audiomnist.scoring.shutdown import INTERRUPTED, stoppable
from audiomnist.scoring.summary import Summary, render
from audiomnist.scoring.table import formats
from audiomnist.scoring.table.formats import OutputError
from audiomnist.scoring.table.location import TableError, TableWriteError
from audiomnist.scoring.table.lock import LockedError
from audiomnist.scoring.table.schema import SCHEMA
from audiomnist.scoring.table.table import Table
from audiomnist.serving import revision
from audiomnist.serving.bundle.description import BundleError
from audiomnist.storage.download import DownloadError, downloaded
from audiomnist.storage.url import Place, Url

USAGE = 2
TOO_MANY_REJECTED = 3
MODEL_UNUSABLE = 4
TABLE_HELD = 5
TABLE_UNWRITABLE = 6
NEEDS_ATTENTION = 7
CLUSTER_UNUSABLE = 8
_STATUSES: dict[type[Exception], int] = {
    InboxError: USAGE,
    BundleError: MODEL_UNUSABLE,
    RecognitionError: MODEL_UNUSABLE,
    DownloadError: MODEL_UNUSABLE,
    extras.MissingExtraError: MODEL_UNUSABLE,
    ClusterError: CLUSTER_UNUSABLE,
    LockedError: TABLE_HELD,
    TableError: TABLE_UNWRITABLE,
    TableWriteError: TABLE_UNWRITABLE,
    OutputError: TABLE_UNWRITABLE,
}


def score(
    configured: Callable[[Path], ScoringConfig],
    model: Place,
    rev: str | None,
    csv: Path | None,
    max_rejected_fraction: float,
    *,
    dry_run: bool,
    quiet: bool,
    as_json: bool,
) -> int:
    """Score an inbox and report the run; return the exit status. The arguments are the options of the command.

    `configured` returns the settings of a run for the folder of a model bundle.
    """
    console = Console(file=cast("TextIO", _CheckedStream(sys.stderr, "stderr")), quiet=quiet)
    try:
        with extras.explained("pipeline" if rev else "asr"), stoppable() as stop, _bundle(model, rev) as bundle:
            config = configured(bundle)
            with progress(config.inbox, console) as show:
                summary = (run.preview if dry_run else run.score)(config, show, stop)
            _report(summary, console, config.table, None if dry_run else csv, as_json=as_json)
    except tuple(_STATUSES) as error:
        _print_error(str(error))
        return _STATUSES[type(error)]
    except KeyboardInterrupt:
        return INTERRUPTED
    return _status(summary, max_rejected_fraction)


@contextmanager
def _bundle(model: Place, rev: str | None) -> Iterator[Path]:
    """Yield the folder of a model bundle: of a git revision if one is named, or a copy of one in an object store."""
    if isinstance(model, Url):
        with downloaded(model) as folder:
            yield folder
    elif rev:
        with revision.bundle_of(model, rev) as folder:
            yield folder
    else:
        yield model


def _report(summary: Summary, console: Console, table: Place, csv: Path | None, *, as_json: bool) -> None:
    """Print the summary, and write the rows of the run to a file; an error has the number of committed rows."""
    try:
        if as_json:
            print(summary.to_json(), file=_CheckedStream(sys.stdout, "stdout"), flush=True)
        else:
            render(summary, console)
        if csv:
            formats.write(csv, SCHEMA, Table.open(table).scan(only={"run_id": [summary.run_id]}))
    except OutputError as error:
        raise OutputError(f"{error} (the table has all {summary.rows:,} rows of run {summary.run_id})") from error


def _status(summary: Summary, max_rejected_fraction: float) -> int:
    """Return the exit status of a run that ended; print the reason unless it is 0 or the run was interrupted."""
    if summary.interrupted:
        return INTERRUPTED
    if summary.rejected > max_rejected_fraction * summary.rows:
        _print_error(f"{summary.rejected:,} of {summary.rows:,} new files were rejected")
        return TOO_MANY_REJECTED
    if summary.needs_attention:
        reasons = ", ".join(f"{files:,} {reason}" for reason, files in summary.needs_attention.items())
        _print_error(f"deferred files need attention: {reasons}")
        return NEEDS_ATTENTION
    return 0


def _print_error(message: str) -> None:
    if sys.stderr:
        with suppress(OSError):
            print(f"audiomnist score: {message}", file=sys.stderr)


class _CheckedStream:
    """A text stream, None if it is closed, that raises OutputError with its name if it cannot be written."""

    def __init__(self, stream: TextIO | None, name: str) -> None:
        self._stream, self._name = stream, name

    def write(self, text: str) -> int:
        return int(self._call("write", text))

    def flush(self) -> None:
        self._call("flush")

    def _call(self, method: str, *arguments: str) -> Any:
        if self._stream is None:
            raise OutputError(f"{self._name} cannot be written: it is closed")
        try:
            return getattr(self._stream, method)(*arguments)
        except OSError as error:
            with suppress(OSError):  # what is buffered would fail again at exit, and change the exit status
                os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())
            raise OutputError(f"{self._name} cannot be written: {error}") from error

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

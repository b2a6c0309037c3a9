"""The command `audiomnist score`."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO, cast

import typer
from rich.console import Console

from audiomnist.cli import extras, served
from audiomnist.core.processes import available_cores
from audiomnist.scoring.shutdown import stoppable

if TYPE_CHECKING:
    from audiomnist.scoring.summary import Summary

USAGE, TOO_MANY_REJECTED, MODEL_UNUSABLE, TABLE_HELD, TABLE_UNWRITABLE, NEEDS_ATTENTION, INTERRUPTED = (
    2,
    3,
    4,
    5,
    6,
    7,
    130,
)


def score(
    inbox: Annotated[
        Path, typer.Argument(readable=False, help="Folder of WAV and FLAC files; its sub-folders are searched too.")
    ],
    into: Annotated[
        Path, typer.Option("--into", readable=False, help="Folder of the table; created if it does not exist.")
    ],
    model: Annotated[
        Path | None, typer.Option(readable=False, help="Folder of a model bundle; by default the served model.")
    ] = None,
    rev: Annotated[
        str | None,
        typer.Option(help=f"Use the bundle, by default {served.IN_REPOSITORY}, of this git revision."),
    ] = None,
    csv: Annotated[
        Path | None, typer.Option("--csv", readable=False, help="Write the rows of this run to this file as well.")
    ] = None,
    min_confidence: Annotated[float, typer.Option(min=0, max=1, help="Withhold labels with a lower confidence.")] = 0.0,
    max_rejected_fraction: Annotated[
        float, typer.Option(min=0, max=1, help="Exit with status 3 if a larger share of the new files is rejected.")
    ] = 1.0,
    batch_size: Annotated[
        int,
        typer.Option(min=1, help="Rows per commit; a crash costs at most this much work, and the files in progress."),
    ] = 4096,
    workers: Annotated[int | None, typer.Option(min=1, help="Scoring processes; by default one per core.")] = None,
    limit: Annotated[int | None, typer.Option(min=0, help="Take at most this many new files.")] = None,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count new files; nothing is written.")] = False,
    rescore: Annotated[bool, typer.Option("--rescore", help="Score files that only other models have scored.")] = False,
    reread: Annotated[
        bool, typer.Option("--reread", help="Read every file, even if its size and time are in the table.")
    ] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for another run that holds the lock.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing but errors.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the run's summary as JSON, to stdout.")] = False,
) -> None:
    """Write one row per new file of a folder to a table, exactly once: a label, or the reason why there is none.

    Status 0: every new file is in the table, deferred to the next run, or remaining because of --limit. 2: the command
    is wrong, or the folder cannot be read. 3: more files were rejected than allowed; the rows are committed. 4: the
    model cannot be used. 5: another run holds the lock of the table. 6: the table, the file of --csv, stdout or stderr
    cannot be written, or the table cannot be read; the message says what was committed. 7: deferred files need
    attention, because of missing permissions or memory, for example; all others have their rows. 130: interrupted;
    finished rows are committed.
    """
    from audiomnist.scoring import progress  # noqa: PLC0415
    from audiomnist.scoring.run import ScoringConfig, preview  # noqa: PLC0415
    from audiomnist.scoring.run import score as run  # noqa: PLC0415
    from audiomnist.scoring.streams import CheckedStream  # noqa: PLC0415
    from audiomnist.serving import revision  # noqa: PLC0415 - keeps --help quick

    _check_revision(rev)
    _check_target(csv, inbox, into)
    console = Console(file=cast("TextIO", CheckedStream(sys.stderr, "stderr")), quiet=quiet)
    opened = revision.bundle_of(model or served.IN_REPOSITORY, rev) if rev else nullcontext(model or served.folder())
    with _exit_statuses(rev), opened as bundle, stoppable() as stop:
        config = ScoringConfig(
            inbox, into, bundle, min_confidence, batch_size, workers or available_cores(), limit, rescore, reread, wait
        )
        with progress.shown(inbox, console) as shown:
            summary = (preview if dry_run else run)(config, shown, stop)
        with _rows_in_error(summary):
            _report(summary, console, as_json=as_json)
            if csv and not dry_run:
                _write_rows(csv, into, summary.run_id)
    _exit(summary, max_rejected_fraction)


@contextmanager
def _exit_statuses(rev: str | None) -> Iterator[None]:
    """Convert errors into a message and an exit status."""
    from audiomnist.asr.recognizer import RecognitionError  # noqa: PLC0415
    from audiomnist.scoring.inbox.discover import InboxError  # noqa: PLC0415
    from audiomnist.scoring.table.formats import OutputError  # noqa: PLC0415
    from audiomnist.scoring.table.location import TableError, TableWriteError  # noqa: PLC0415
    from audiomnist.scoring.table.lock import LockedError  # noqa: PLC0415
    from audiomnist.serving.bundle.description import BundleError  # noqa: PLC0415 - keeps --help quick

    statuses = {
        InboxError: USAGE,
        BundleError: MODEL_UNUSABLE,
        RecognitionError: MODEL_UNUSABLE,
        extras.MissingExtraError: MODEL_UNUSABLE,
        LockedError: TABLE_HELD,
        TableError: TABLE_UNWRITABLE,
        TableWriteError: TABLE_UNWRITABLE,
        OutputError: TABLE_UNWRITABLE,
    }
    try:
        with extras.explained("asr" if rev is None else "pipeline"):
            yield
    except tuple(statuses) as error:
        _print_error(str(error))
        raise typer.Exit(statuses[type(error)]) from error
    except KeyboardInterrupt as interrupt:
        raise typer.Exit(INTERRUPTED) from interrupt


def _check_revision(rev: str | None) -> None:
    if rev is not None and not rev.strip():
        raise typer.BadParameter("it names no revision", param_hint="--rev")


def _check_target(csv: Path | None, inbox: Path, table: Path) -> None:
    if csv is None:
        return
    if csv.suffix != ".csv":
        raise typer.BadParameter(f"{csv} must end with .csv", param_hint="--csv")
    for folder in (inbox, table):
        if csv.resolve().is_relative_to(folder.resolve()):
            raise typer.BadParameter(f"{csv} lies in {folder}: name another place", param_hint="--csv")


@contextmanager
def _rows_in_error(summary: "Summary") -> Iterator[None]:
    """Add the number of committed rows to the message of an output error."""
    from audiomnist.scoring.table.formats import OutputError  # noqa: PLC0415 - keeps --help quick

    try:
        yield
    except OutputError as error:
        rows = summary.scored + summary.abstained + summary.rejected
        raise OutputError(f"{error} (the table has all {rows:,} rows of run {summary.run_id})") from error


def _print_error(sentence: str) -> None:
    with suppress(OSError):
        typer.echo(f"audiomnist score: {sentence}", err=True)


def _write_rows(csv: Path, table: Path, run_id: str) -> None:
    from audiomnist.scoring.table import formats  # noqa: PLC0415 - keeps --help quick
    from audiomnist.scoring.table.schema import SCHEMA  # noqa: PLC0415
    from audiomnist.scoring.table.table import Table  # noqa: PLC0415

    formats.write(csv, SCHEMA, Table.open(table).scan(only={"run_id": [run_id]}))


def _report(summary: "Summary", console: Console, *, as_json: bool) -> None:
    from audiomnist.scoring.streams import CheckedStream  # noqa: PLC0415 - keeps --help quick
    from audiomnist.scoring.summary import render  # noqa: PLC0415

    if as_json:
        print(summary.to_json(), file=CheckedStream(sys.stdout, "stdout"), flush=True)
    else:
        render(summary, console)


def _exit(summary: "Summary", max_rejected_fraction: float) -> None:
    if summary.interrupted:
        raise typer.Exit(INTERRUPTED)
    rows = summary.scored + summary.abstained + summary.rejected
    if summary.rejected > max_rejected_fraction * rows:
        _print_error(f"{summary.rejected:,} of {rows:,} new files were rejected")
        raise typer.Exit(TOO_MANY_REJECTED)
    if summary.needs_attention:
        reasons = ", ".join(f"{files:,} {reason}" for reason, files in summary.needs_attention.items())
        _print_error(f"deferred files need attention: {reasons}")
        raise typer.Exit(NEEDS_ATTENTION)

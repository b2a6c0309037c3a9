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

USAGE, TOO_MANY_REJECTED, MODEL_UNUSABLE, TABLE_HELD, TABLE_UNWRITABLE, HINDERED, INTERRUPTED = 2, 3, 4, 5, 6, 7, 130


def score(
    inbox: Annotated[
        Path, typer.Argument(readable=False, help="Folder of WAV and FLAC files; its sub-folders are searched too.")
    ],
    into: Annotated[Path, typer.Option("--into", readable=False, help="Folder of the table; made if it is not there.")],
    model: Annotated[
        Path | None, typer.Option(readable=False, help="Folder of another model bundle than the one that is served.")
    ] = None,
    rev: Annotated[
        str | None,
        typer.Option(help=f"Take the bundle, by default {served.IN_REPOSITORY}, as it was in this git revision."),
    ] = None,
    csv: Annotated[
        Path | None, typer.Option("--csv", readable=False, help="Write this run's rows to this file as well.")
    ] = None,
    min_confidence: Annotated[
        float, typer.Option(min=0, max=1, help="Withhold labels that are less sure than this.")
    ] = 0.0,
    max_rejected_fraction: Annotated[
        float, typer.Option(min=0, max=1, help="End with status 3 if a larger share of the new files is rejected.")
    ] = 1.0,
    batch_size: Annotated[
        int, typer.Option(min=1, help="Rows of a commit; a crash costs this much work, and the files in hand.")
    ] = 4096,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes that label; by default one per core.")] = None,
    limit: Annotated[int | None, typer.Option(min=0, help="Take at most this many new files.")] = None,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what is new; nothing is written.")] = False,
    rescore: Annotated[
        bool, typer.Option("--rescore", help="Score files again that other models have scored.")
    ] = False,
    reread: Annotated[
        bool, typer.Option("--reread", help="Read every file, also those whose size and time are known.")
    ] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for another run that holds the table.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing but errors.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the run's summary as JSON, to stdout.")] = False,
) -> None:
    """Give every new file of a folder its row in a table: a label, or the reason why there is none; exactly once.

    Status 0: every new file is in the table, deferred to the next run, or left by --limit. 2: the command is wrong, or
    the folder cannot be read. 3: more files were rejected than allowed; the rows are committed. 4: the model cannot
    be used. 5: another run holds the table. 6: the table, the file of --csv, stdout or stderr cannot be written, or the
    table not read; says what was committed. 7: files were deferred that will be so again until somebody sees to it, for
    want of a permission or memory, say; all others have their rows. 130: interrupted; what was done is committed.
    """
    from audiomnist.scoring import progress  # noqa: PLC0415
    from audiomnist.scoring.run import Order, preview  # noqa: PLC0415
    from audiomnist.scoring.run import score as run  # noqa: PLC0415
    from audiomnist.scoring.streams import Checked  # noqa: PLC0415
    from audiomnist.serving import revision  # noqa: PLC0415 - keeps --help quick

    _check_revision(rev)
    _check_target(csv, inbox, into)
    console = Console(file=cast("TextIO", Checked(sys.stderr, "stderr")), quiet=quiet)
    chosen = revision.bundle_of(model or served.IN_REPOSITORY, rev) if rev else nullcontext(model or served.folder())
    with _statuses(rev), chosen as bundle, stoppable() as stop:
        order = Order(
            inbox, into, bundle, min_confidence, batch_size, workers or available_cores(), limit, rescore, reread, wait
        )
        with progress.shown(inbox, console) as shown:
            summary = (preview if dry_run else run)(order, shown, stop)
        with _telling(summary):
            _report(summary, console, as_json=as_json)
            if csv and not dry_run:
                _write_rows(csv, into, summary.run_id)
    _end(summary, max_rejected_fraction)


@contextmanager
def _statuses(rev: str | None) -> Iterator[None]:
    """Turn what stops a run into a sentence and its exit status."""
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
        _say(str(error))
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
def _telling(summary: "Summary") -> Iterator[None]:
    """Add to what goes wrong when the run is told that its rows are safe."""
    from audiomnist.scoring.table.formats import OutputError  # noqa: PLC0415 - keeps --help quick

    try:
        yield
    except OutputError as error:
        made = summary.scored + summary.abstained + summary.rejected
        raise OutputError(f"{error} (the table has all {made:,} rows of run {summary.run_id})") from error


def _say(sentence: str) -> None:
    with suppress(OSError):
        typer.echo(f"audiomnist score: {sentence}", err=True)


def _write_rows(csv: Path, table: Path, run_id: str) -> None:
    from audiomnist.scoring.table import formats  # noqa: PLC0415 - keeps --help quick
    from audiomnist.scoring.table.schema import SCHEMA  # noqa: PLC0415
    from audiomnist.scoring.table.table import Table  # noqa: PLC0415

    formats.write(csv, SCHEMA, Table.open(table).scan(only={"run_id": [run_id]}))


def _report(summary: "Summary", console: Console, *, as_json: bool) -> None:
    from audiomnist.scoring.streams import Checked  # noqa: PLC0415 - keeps --help quick
    from audiomnist.scoring.summary import render  # noqa: PLC0415

    if as_json:
        print(summary.to_json(), file=Checked(sys.stdout, "stdout"), flush=True)
    else:
        render(summary, console)


def _end(summary: "Summary", max_rejected_fraction: float) -> None:
    if summary.interrupted:
        raise typer.Exit(INTERRUPTED)
    made = summary.scored + summary.abstained + summary.rejected
    if summary.rejected > max_rejected_fraction * made:
        _say(f"{summary.rejected:,} of {made:,} new files were rejected")
        raise typer.Exit(TOO_MANY_REJECTED)
    if summary.hindered:
        reasons = ", ".join(f"{files:,} {reason}" for reason, files in summary.hindered.items())
        _say(f"deferred until somebody sees to it: {reasons}")
        raise typer.Exit(HINDERED)

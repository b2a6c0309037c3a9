"""The commands `audiomnist table ...`."""

import json
from collections.abc import Iterable
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from audiomnist.cli.places import local_folder, place
from audiomnist.scoring.inbox.paths import shown
from audiomnist.storage.url import Place

if TYPE_CHECKING:
    from audiomnist.scoring.table.table import Table

app = typer.Typer(
    help="Show, export, report, check and clean up the table of `audiomnist score`.", no_args_is_help=True
)

Folder = Annotated[Any, typer.Argument(metavar="TABLE", parser=place, help="Folder of the table, or its URL.")]
LocalFolder = Annotated[Path, typer.Argument(metavar="TABLE", parser=local_folder, help="Folder of the table.")]

_SHOWN = ("scored_at", "status", "digit", "confidence", "ood_score", "reason", "model", "path")


def _opened(folder: Place) -> "Table":
    from audiomnist.scoring.table.table import Table  # noqa: PLC0415 - keeps --help quick

    return Table.open(folder)


@app.command()
def show(
    folder: Folder,
    status: Annotated[
        str | None, typer.Option(help="Only rows with this status: scored, abstained or rejected.")
    ] = None,
    reason: Annotated[str | None, typer.Option(help="Only rows rejected for this reason.")] = None,
    rows: Annotated[int, typer.Option(min=0, help="Maximum number of rows.")] = 20,
) -> None:
    """Print rows of the table, the latest first, and their number."""
    from audiomnist.scoring.table.schema import FORMER_REASONS, REASONS, STATUSES  # noqa: PLC0415 - keeps --help quick

    _check_is_among(STATUSES, status, "--status")
    _check_is_among(REASONS | FORMER_REASONS, reason, "--reason")
    only = {} if status is None else {"status": [status]}
    if reason is not None:
        only["reason"] = [reason, *(former for former, current in FORMER_REASONS.items() if current == reason)]
    latest_rows, total = _opened(folder).latest(only, rows)
    _echo_aligned([list(_SHOWN), *([_cell(row[column]) for column in _SHOWN] for row in latest_rows)])
    print(f"{len(latest_rows):,} of {total:,} rows")


def _check_is_among(codes: Iterable[str], code: str | None, option: str) -> None:
    if code is not None and code not in codes:
        raise typer.BadParameter(f"{shown(code)} is none of {', '.join(codes)}", param_hint=option)


@app.command()
def history(
    folder: Folder,
    *,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one line of JSON per run, with its whole summary.")
    ] = False,
) -> None:
    """Print the runs that wrote to the table, the latest first."""
    from audiomnist.scoring.summary import FORMER_OUTCOMES, OUTCOMES  # noqa: PLC0415 - keeps --help quick

    runs = _opened(folder).runs()
    if as_json:
        for run in runs:
            print(json.dumps({"run_id": run.run_id, "version": run.version, "summary": run.summary}))
        return
    counts = ("found", *OUTCOMES)
    rows = [["ended (UTC)", "run", "version", "model", *counts]]
    for run in runs:
        stored = dict.fromkeys(counts, 0 if run.summary else "-") | (run.summary or {"model": "(did not end)"})
        summary = stored | {name: stored[former] for name, former in FORMER_OUTCOMES.items() if former in stored}
        ended_at = f"{run.committed_at:%Y-%m-%d %H:%M}"
        rows.append([ended_at, run.run_id, str(run.version), *(_cell(summary[name]) for name in ("model", *counts))])
    _echo_aligned(rows)


@app.command()
def export(
    folder: Folder,
    to: Annotated[
        Path, typer.Option("--to", readable=False, help="File to write: .parquet, .csv or .jsonl, by its suffix.")
    ],
) -> None:
    """Write all rows to one file, which appears whole or not at all."""
    _opened(folder).export(to)
    print(to)


class _OptionalValue(TyperCommand):
    """A command whose option --reviews may be without a value, which is then empty."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        given = []
        for argument, following in pairwise([*args, "-"]):
            given.append(argument)
            if argument == "--reviews" and following.startswith("-"):
                given.append("")
        return super().parse_args(ctx, given)


@app.command(cls=_OptionalValue)
def report(
    folder: LocalFolder,
    to: Annotated[Path, typer.Option("--to", readable=False, help="HTML file to write.")],
    run: Annotated[
        str | None, typer.Option(metavar="RUN_ID", help="The run; by default the latest that wrote rows.")
    ] = None,
    reviews: Annotated[
        str | None,
        typer.Option(metavar="[FOLDER]", help="Add what people judged; without a folder, in TABLE-reviews."),
    ] = None,
    inbox: Annotated[
        Path | None, typer.Option(parser=local_folder, metavar="INBOX", help="Folder of the files, to embed sounds.")
    ] = None,
) -> None:
    """Write a page about a run: what happened, drift, what was uncertain; with --reviews how right it was.

    Status 1: there is no such run, a folder cannot be read, or the page cannot be written.
    """
    from audiomnist.night import page  # noqa: PLC0415 - keeps --help quick
    from audiomnist.review.judgements import reviews_of  # noqa: PLC0415

    judged = None if reviews is None else local_folder(reviews) if reviews else reviews_of(folder)
    page.write(folder, run, judged, inbox, to)
    print(to)


@app.command()
def verify(folder: Folder) -> None:
    """Check every row with the rules of the data dictionary; status 1 if one is broken."""
    from audiomnist.cli import verify_table  # noqa: PLC0415 - keeps --help quick

    rows = verify_table.verify(folder)
    print(f"{rows:,} rows, and every rule holds")


@app.command()
def vacuum(folder: Folder) -> None:
    """Remove the files that the table does not use: those left by crashes, and those replaced by larger ones.

    Earlier versions of the table can no longer be read afterwards. Status 1: another run holds the lock of the table.
    """
    from audiomnist.scoring.table import lock  # noqa: PLC0415 - keeps --help quick

    table = _opened(folder)
    with lock.held(folder, wait=False):
        removed = table.vacuum()
    for name in removed:
        print(name)
    print(f"{len(removed):,} files removed")


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.3f}"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    return shown(str(value))


def _echo_aligned(rows: list[list[str]]) -> None:
    """Print rows with aligned columns; the last column is not padded."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(map(str.ljust, row, [*widths[:-1], 0])))

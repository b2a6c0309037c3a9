"""The commands `audiomnist table ...`."""

import json
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table as Drawn
from rich.text import Text

from audiomnist.scoring.names import shown

if TYPE_CHECKING:
    from audiomnist.scoring.table import Table

app = typer.Typer(help="Look at the table that `audiomnist score` fills, and keep it.", no_args_is_help=True)

Folder = Annotated[Path, typer.Argument(metavar="TABLE", help="Folder of the table.")]

_SHOWN = ("path", "status", "digit", "confidence", "ood_score", "reason", "model", "scored_at")


def _opened(folder: Path) -> "Table":
    from audiomnist.scoring.table import Table  # noqa: PLC0415 - keeps --help quick

    return Table.open(folder)


@app.command()
def show(
    folder: Folder,
    status: Annotated[str | None, typer.Option(help="Only rows of this status: scored, abstained or rejected.")] = None,
    reason: Annotated[str | None, typer.Option(help="Only rows rejected for this reason.")] = None,
    rows: Annotated[int, typer.Option(min=0, help="How many rows to print.")] = 20,
) -> None:
    """Print rows of the table, the latest first, and how many there are."""
    from audiomnist.scoring.view import latest  # noqa: PLC0415 - keeps --help quick

    only = {column: [value] for column, value in (("status", status), ("reason", reason)) if value is not None}
    found, total = latest(_opened(folder), only, rows)
    drawn = Drawn(*_SHOWN, box=None)
    for row in found:
        drawn.add_row(*(_cell(row[column]) for column in _SHOWN))
    Console().print(drawn)
    typer.echo(f"{len(found):,} of {total:,} rows")


@app.command()
def history(
    folder: Folder,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print a line of JSON per run, its whole summary.")] = False,
) -> None:
    """Print the runs that wrote to the table, the latest first."""
    from audiomnist.scoring.summary import OUTCOMES  # noqa: PLC0415 - keeps --help quick

    runs = _opened(folder).runs()
    if as_json:
        for run in runs:
            typer.echo(json.dumps({"run_id": run.run_id, "version": run.version, "summary": run.summary}))
        return
    drawn = Drawn("run", "ended", "version", "model", "found", *OUTCOMES, box=None)
    for run in runs:
        told = run.summary or {}
        counts = [f"{told[name]:,}" if name in told else "-" for name in ("found", *OUTCOMES)]
        ended = f"{run.committed_at:%Y-%m-%d %H:%M} UTC"
        drawn.add_row(run.run_id, ended, str(run.version), told.get("model", "did not end"), *counts)
    Console().print(drawn)


@app.command()
def export(
    folder: Folder,
    to: Annotated[Path, typer.Option("--to", help="File to write: .parquet, .csv or .jsonl, by its suffix.")],
) -> None:
    """Write all rows to one file, which appears whole or not at all."""
    _opened(folder).export(to)
    typer.echo(f"{to}")


@app.command()
def verify(folder: Folder) -> None:
    """Hold every row against the rules of the data dictionary; status 1 if one is broken."""
    from audiomnist import verification  # noqa: PLC0415 - keeps --help quick

    rows = verification.verify(folder)
    typer.echo(f"{rows:,} rows, and every rule holds")


@app.command()
def vacuum(folder: Folder) -> None:
    """Remove the files that the table does not use: what crashes left, and what was put together since.

    Versions of the table before now can no longer be read afterwards. Status 1: another run holds the table.
    """
    from audiomnist.scoring import lock  # noqa: PLC0415 - keeps --help quick

    table = _opened(folder)
    with lock.held(folder, wait=False):
        removed = table.vacuum()
    for name in removed:
        typer.echo(name)
    typer.echo(f"{len(removed):,} files removed")


def _cell(value: object) -> Text:
    if value is None:
        return Text("")
    if isinstance(value, float):
        return Text(f"{value:.3f}")
    if isinstance(value, datetime):
        return Text(f"{value:%Y-%m-%d %H:%M:%S}")
    return Text(shown(str(value)))

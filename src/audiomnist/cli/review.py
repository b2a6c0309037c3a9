"""The command `audiomnist review`."""

import os
import sys
import webbrowser
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import typer

from audiomnist.cli.places import local_folder
from audiomnist.core import extras


def review(
    table: Annotated[Path, typer.Argument(metavar="TABLE", parser=local_folder, help="Folder of the table.")],
    inbox: Annotated[
        Path, typer.Option(metavar="INBOX", parser=local_folder, help="Folder of the files that the table is of.")
    ],
    by: Annotated[str, typer.Option(metavar="NAME", help="Your name, which the judgements have.")],
    run: Annotated[str | None, typer.Option(metavar="RUN_ID", help="The run to review; by default the latest.")] = None,
    sample: Annotated[
        int | None, typer.Option(min=1, help="Hear a random sample of this size, for measuring the accuracy.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="With --sample: another one draws another sample.")] = 0,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of the page; by default a free one.")] = 0,
    *,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Print the address of the page only.")] = False,
) -> None:
    """Hear clips of a run on a web page, and say which digit they are: the least certain first, or a random sample.

    What was judged before is not asked again. Each keystroke is kept in the table TABLE-reviews before the next clip is
    heard. The page is for browsers on this machine only; nothing listens when the command has ended.
    """
    from audiomnist.review import sample as queues  # noqa: PLC0415 - keeps --help quick
    from audiomnist.review.judgements import Judgements, reviews_of  # noqa: PLC0415
    from audiomnist.review.session import Session  # noqa: PLC0415
    from audiomnist.scoring.inbox.discover import check_listable  # noqa: PLC0415
    from audiomnist.scoring.table.table import Table  # noqa: PLC0415

    if not by.strip():
        raise typer.BadParameter("it names nobody", param_hint="--by")
    with extras.explained("review"):
        from audiomnist.review import server  # noqa: PLC0415
    check_listable(inbox)
    labels = Table.open(table)
    run_id = run or queues.latest_run(labels)
    queue = queues.stratified(labels, run_id, sample, seed) if sample else queues.least_certain(labels, run_id)
    session = Session(queue, Judgements.create(reviews_of(table)), inbox, by.strip(), _print_end)
    _print_progress(session.progress(), run_id)
    if session.progress()["clip"] is None:
        return
    with suppress(KeyboardInterrupt):
        server.serve(session, port, lambda address: _open(address, is_shown=not no_browser))
    _print_progress(session.progress(), run_id)


def _open(address: str, *, is_shown: bool) -> None:
    print(f"{address} is the page; Ctrl-C ends", flush=True)
    if is_shown and (sys.platform == "darwin" or os.environ.keys() & {"DISPLAY", "WAYLAND_DISPLAY"}):
        webbrowser.open(address)


def _print_progress(state: dict[str, Any], run_id: str) -> None:
    print(f"run {run_id}: {state['judged']:,} of {state['total']:,} clips are judged{_lost(state)}", flush=True)


def _print_end(state: dict[str, Any]) -> None:
    print(f"all clips are judged{_lost(state)}: press enter on the page, or Ctrl-C here", flush=True)


def _lost(state: dict[str, Any]) -> str:
    return f", {len(state['lost']):,} files have changed or are gone" if state["lost"] else ""

"""Progress of a run: a bar on a terminal, plain lines in a log."""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from audiomnist.storage.url import Place, Url

_LINE_EVERY_S = 10.0

# Receives the counts of `audiomnist.scoring.summary.Counters` during a run.
Show = Callable[[Mapping[str, int]], None]


def no_progress(counts: Mapping[str, int]) -> None:
    """Show nothing."""


@contextmanager
def progress(inbox: Place, console: Console) -> Iterator[Show]:
    """Yield a function that shows the counts: as a bar if the console is a terminal, else as a line now and then."""
    start = last = time.monotonic()

    def print_line(counts: Mapping[str, int]) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= _LINE_EVERY_S:
            last = now
            line = f"{counts['found']:,} found, {_description(counts, now - start)}"
            console.print(line, highlight=False, soft_wrap=True)

    if not console.is_terminal:
        yield print_line
        return
    total = _entries(inbox)
    share = TextColumn("{task.percentage:3.0f}% {task.description}"), TimeRemainingColumn()
    number = TextColumn("{task.completed:,} found, {task.description}")
    columns = TextColumn("score"), BarColumn(), *([number] if total is None else share)
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=total)
        yield lambda counts: bar.update(
            task, completed=counts["found"], description=_description(counts, time.monotonic() - start)
        )


def _entries(inbox: Place) -> int | None:
    """Return the number of entries to find: files, and hidden folders, which are not entered; None if unknown."""
    if isinstance(inbox, Url):
        return None
    count = 0
    for _, folders, files in os.walk(os.fsencode(inbox)):
        entered = [name for name in folders if not name.startswith(b".")]
        count += len(files) + len(folders) - len(entered)
        folders[:] = entered
    return count


def _description(counts: Mapping[str, int], seconds: float) -> str:
    new = counts["scored"] + counts["abstained"] + counts["rejected"]
    rate = f"{new:,} new at {new / seconds:,.0f} files/s"
    return f"{counts['unchanged']:,} unchanged, {rate}, {counts['rejected']:,} rejected"

"""Progress of a run: a bar on a terminal, plain lines in a log."""

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

_LINE_EVERY_S = 10.0
_NEW = ("scored", "abstained", "rejected")


class Progress(Protocol):
    """Receives the counts of `audiomnist.scoring.summary.Counters` during a run."""

    def update(self, counts: Mapping[str, int]) -> None:
        """Show the counts."""


class NullProgress:
    """Shows nothing."""

    def update(self, counts: Mapping[str, int]) -> None:
        """Do nothing."""


@contextmanager
def shown(inbox: Path, console: Console) -> Iterator[Progress]:
    """Yield a progress bar if the console is a terminal, else lines."""
    if not console.is_terminal:
        yield _Lines(console)
        return
    columns = TextColumn("score"), BarColumn(), TextColumn("{task.percentage:3.0f}% {task.description}")
    with Bar(*columns, TimeRemainingColumn(), console=console, transient=True) as bar:
        yield _TerminalBar(bar, _entries(inbox))


def _entries(inbox: Path) -> int:
    """Return the number of entries to find: files, and hidden folders, which are not entered."""
    count = 0
    for _, folders, files in os.walk(os.fsencode(inbox)):
        entered = [name for name in folders if not name.startswith(b".")]
        count += len(files) + len(folders) - len(entered)
        folders[:] = entered
    return count


class _Lines:
    def __init__(self, console: Console) -> None:
        self._console = console
        self._start = self._last = time.monotonic()

    def update(self, counts: Mapping[str, int]) -> None:
        now = time.monotonic()
        if now - self._last >= _LINE_EVERY_S:
            self._last = now
            line = f"{counts['found']:,} found, {_description(counts, now - self._start)}"
            self._console.print(line, highlight=False, soft_wrap=True)


class _TerminalBar:
    def __init__(self, bar: Bar, total: int) -> None:
        self._bar, self._start = bar, time.monotonic()
        self._task = bar.add_task("", total=total)

    def update(self, counts: Mapping[str, int]) -> None:
        description = _description(counts, time.monotonic() - self._start)
        self._bar.update(self._task, completed=counts["found"], description=description)


def _description(counts: Mapping[str, int], seconds: float) -> str:
    new = sum(counts[outcome] for outcome in _NEW)
    rate = f"{new:,} new at {new / seconds:,.0f} files/s"
    return f"{counts['unchanged']:,} unchanged, {rate}, {counts['rejected']:,} rejected"

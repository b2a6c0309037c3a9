"""How far a run has come: a bar on a terminal, plain lines in a log."""

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
_MADE = ("scored", "abstained", "rejected")


class Progress(Protocol):
    """Is told the counts of `audiomnist.scoring.summary.Tally` as they grow."""

    def update(self, counts: Mapping[str, int]) -> None:
        """Show them."""


class Silence:
    """Shows nothing."""

    def update(self, counts: Mapping[str, int]) -> None:
        """Do nothing."""


@contextmanager
def shown(inbox: Path, console: Console) -> Iterator[Progress]:
    """Yield a bar where the console is a terminal, else lines."""
    if not console.is_terminal:
        yield _Lines(console)
        return
    columns = TextColumn("score"), BarColumn(), TextColumn("{task.percentage:3.0f}% {task.description}")
    with Bar(*columns, TimeRemainingColumn(), console=console, transient=True) as bar:
        yield _OnTerminal(bar, _things(inbox))


def _things(inbox: Path) -> int:
    """Return how much there is to be found: files, and hidden folders, which are not entered."""
    count = 0
    for _, folders, files in os.walk(os.fsencode(inbox)):
        entered = [name for name in folders if not name.startswith(b".")]
        count += len(files) + len(folders) - len(entered)
        folders[:] = entered
    return count


class _Lines:
    def __init__(self, console: Console) -> None:
        self._console = console
        self._began = self._last = time.monotonic()

    def update(self, counts: Mapping[str, int]) -> None:
        now = time.monotonic()
        if now - self._last >= _LINE_EVERY_S:
            self._last = now
            line = f"{counts['found']:,} found, {_told(counts, now - self._began)}"
            self._console.print(line, highlight=False, soft_wrap=True)


class _OnTerminal:
    def __init__(self, bar: Bar, total: int) -> None:
        self._bar, self._began = bar, time.monotonic()
        self._task = bar.add_task("", total=total)

    def update(self, counts: Mapping[str, int]) -> None:
        done = counts["found"]
        self._bar.update(self._task, completed=done, description=_told(counts, time.monotonic() - self._began))


def _told(counts: Mapping[str, int], seconds: float) -> str:
    made = sum(counts[outcome] for outcome in _MADE)
    return f"{counts['known']:,} known, {made:,} new at {made / seconds:,.0f} files/s, {counts['rejected']:,} rejected"

"""Progress of the transcription: a bar on a terminal, a line every 15 seconds in a log."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

_LINE_EVERY_S = 15.0


class _ClipsPerSecond(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.speed or 0:.1f} clips/s")


@contextmanager
def progress(title: str, total: int) -> Iterator[Callable[[int], None]]:
    """Yield a function that takes a number of further finished clips and shows the progress on stderr."""
    console = Console(stderr=True)
    columns = TextColumn(title), BarColumn(), MofNCompleteColumn(), _ClipsPerSecond(), TimeRemainingColumn()
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(title, total=total)
        start = last_line = time.monotonic()

        def advance(count: int) -> None:
            nonlocal last_line
            bar.advance(task, count)
            done, now = int(bar.tasks[0].completed), time.monotonic()
            if console.is_terminal or (done < total and now - last_line < _LINE_EVERY_S):
                return
            last_line = now
            rate = done / max(now - start, 1e-9)
            left_s = (total - done) / rate if rate else 0.0
            console.print(f"{title}: {done} of {total} clips, {rate:.1f} clips/s, {left_s:.0f} s left", soft_wrap=True)

        yield advance

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
    if not console.is_terminal:
        yield _lines(console, title, total)
        return
    columns = TextColumn(title), BarColumn(), MofNCompleteColumn(), _ClipsPerSecond(), TimeRemainingColumn()
    with Progress(*columns, console=console) as bar:
        task = bar.add_task(title, total=total)
        yield lambda count: bar.advance(task, count)


def _lines(console: Console, title: str, total: int) -> Callable[[int], None]:
    start = last = time.monotonic()
    done = 0

    def advance(count: int) -> None:
        nonlocal last, done
        done += count
        now = time.monotonic()
        if done < total and now - last < _LINE_EVERY_S:
            return
        last = now
        rate = done / max(now - start, 1e-9)
        left_s = (total - done) / rate if rate else 0.0
        console.print(f"{title}: {done} of {total} clips, {rate:.1f} clips/s, {left_s:.0f} s left", soft_wrap=True)

    return advance

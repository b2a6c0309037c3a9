"""How far a long run has come: a bar on a terminal, a line now and then in a log."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn
from rich.progress import TimeRemainingColumn as TimeLeft
from rich.text import Text

_BETWEEN_LINES_S = 15.0

Advance = Callable[[int], None]


class _ClipsPerSecond(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.speed or 0:.1f} clips/s")


@contextmanager
def progress(what: str, clips: int) -> Iterator[Advance]:
    """Yield a function to be told how many more clips are done; it shows them on stderr.

    Args:
        what: is done to the clips, in a word.
        clips: how many there are.
    """
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _lines(console, what, clips)
        return
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), _ClipsPerSecond(), TimeLeft())
    with Progress(*columns, console=console) as bar:
        task = bar.add_task(what, total=clips)
        yield lambda done: bar.advance(task, done)


def _lines(console: Console, what: str, clips: int) -> Advance:
    start = last = time.monotonic()
    done = 0

    def advance(more: int) -> None:
        nonlocal last, done
        done += more
        now = time.monotonic()
        if done < clips and now - last < _BETWEEN_LINES_S:
            return
        last = now
        rate = done / max(now - start, 1e-9)
        left_s = (clips - done) / rate if rate else 0.0
        console.print(f"{what}: {done} of {clips} clips, {rate:.1f} clips/s, {left_s:.0f} s left", soft_wrap=True)

    return advance

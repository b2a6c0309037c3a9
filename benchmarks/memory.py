"""How much memory a process and its children take at most, looked up in /proc while they run."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread

_EVERY_S = 0.05
_BYTES_PER_KB = 1024


@dataclass
class Peaks:
    """The peak of each process that was seen, in bytes by its id: resident pages, those of its libraries among them."""

    by_process: dict[int, int] = field(default_factory=dict)

    @property
    def largest_mb(self) -> float:
        """The peak of the largest process, in MB."""
        return max(self.by_process.values(), default=0) / 1e6

    @property
    def sum_mb(self) -> float:
        """The sum of all peaks, in MB: at least what the processes took together at any time."""
        return sum(self.by_process.values()) / 1e6

    def look(self, process: int) -> None:
        """Take note of a process and of all below it."""
        for one in (process, *_below(process)):
            if peak := _peak(one):
                self.by_process[one] = peak


@contextmanager
def watched(process: int) -> Iterator[Peaks]:
    """Yield the peaks of a process and its children, which grow until the end of the block."""
    peaks, is_over = Peaks(), Event()

    def watch() -> None:
        peaks.look(process)
        while not is_over.wait(_EVERY_S):
            peaks.look(process)

    watcher = Thread(target=watch)
    watcher.start()
    try:
        yield peaks
    finally:
        is_over.set()
        watcher.join()


def _below(process: int) -> Iterator[int]:
    for thread in Path(f"/proc/{process}/task").glob("*"):
        for child in map(int, _text(thread / "children").split()):
            yield child
            yield from _below(child)


def _peak(process: int) -> int | None:
    found = re.search(r"^VmHWM:\s*(\d+) kB$", _text(Path(f"/proc/{process}/status")), re.MULTILINE)
    return int(found[1]) * _BYTES_PER_KB if found else None


def _text(path: Path) -> str:
    """Return what a file of /proc says; nothing once its process is gone."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""

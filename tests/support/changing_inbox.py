"""An inbox that changes between runs, and the expected rows of its table."""

import hashlib
import random
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import inbox_files

Identity = tuple[str, str | None, str]


@dataclass(frozen=True)
class File:
    """A file of the inbox; a link has no content."""

    content: bytes | None
    is_good: bool
    modified_ns: int

    @property
    def sha256(self) -> str | None:
        """Of the content."""
        return None if self.content is None else hashlib.sha256(self.content).hexdigest()


class ChangingInbox:
    """A folder of files, and the same in memory.

    Attributes:
        files: what is there, by its path.
    """

    def __init__(self, folder: Path, seed: int) -> None:
        """Take a folder that is to be made; the seed decides which files change, and how."""
        self.files: dict[str, File] = {}
        self._folder = folder
        self._draw = random.Random(seed)
        self._made = 0
        self._former: dict[str, bytes] = {}
        folder.mkdir()

    def change(self, arrivals: int) -> None:
        """Let a day pass: a fifth as many files as arrive are renamed, edited, deleted, touched, and so on."""
        some = arrivals // 5
        self._finish()
        self._put_back()
        for path in self._chosen(some):
            self._rename(path)
        for path in self._chosen(some):
            self._edit(path)
        for path in self._chosen(some):
            self._delete(path)
        for path in self._chosen(some):
            self._put(path, self.files[path].content or b"", is_good=self.files[path].is_good)
        for path in self._chosen(some):
            self._put(self._new_path("copy.wav"), self.files[path].content or b"", is_good=self.files[path].is_good)
        for number in range(arrivals):
            self._put(self._new_path("wav"), self._bad() if number % 6 == 0 else self._sound(), is_good=number % 6 > 0)
        self._put(self._new_path("wav.part"), self._sound(), is_good=True)
        self._link(self._new_path("link.wav"))

    def _finish(self) -> None:
        for path in [path for path in self.files if path.endswith(".part")]:
            self._move(path, path.removesuffix(".part"))

    def _put_back(self) -> None:
        """Give files that were edited the day before what they held before that."""
        former, self._former = self._former, {}
        for path in former.keys() & self.files.keys():
            self._put(path, former[path], is_good=True)

    def _rename(self, path: str) -> None:
        self._move(path, self._new_path("renamed.wav"))

    def _edit(self, path: str) -> None:
        if self.files[path].is_good:
            self._former[path] = self.files[path].content or b""
        self._put(path, self._sound(), is_good=True)

    def _delete(self, path: str) -> None:
        (self._folder / path).unlink()
        del self.files[path]

    def _link(self, path: str) -> None:
        (self._folder / path).symlink_to("/")
        self.files[path] = File(None, is_good=False, modified_ns=0)

    def _move(self, path: str, to: str) -> None:
        (self._folder / path).rename(self._folder / to)
        self.files[to] = self.files.pop(path)

    def _put(self, path: str, content: bytes, *, is_good: bool) -> None:
        self._made += 1
        file = File(content, is_good, inbox_files.SETTLED_NS + self._made)
        inbox_files.put(self._folder, path, content, file.modified_ns)
        self.files[path] = file

    def _chosen(self, count: int) -> list[str]:
        whole = sorted(path for path, file in self.files.items() if file.content is not None)
        return self._draw.sample(whole, min(count, len(whole)))

    def _new_path(self, suffix: str) -> str:
        self._made += 1
        return f"{self._draw.randrange(1000):03}-{self._made}.{suffix}"

    def _sound(self) -> bytes:
        self._made += 1
        return inbox_files.encoded(inbox_files.tone(self._made % 10, 0.15, seed=self._made))

    def _bad(self) -> bytes:
        return self._draw.choice([b"", self._sound()[:-2], b"RIFF\x04\x00\x00\x00WAVE", self._sound()[:400]])


@dataclass
class ExpectedRows:
    """Expected rows of a table: their status, and the size and time of the file."""

    rows: dict[Identity, str] = field(default_factory=dict)
    _stats: dict[Identity, tuple[int, int]] = field(default_factory=dict)

    def run(self, files: dict[str, File], model: str, *, rescore: bool) -> tuple[Counter[str], dict[Identity, File]]:
        """Return how many files of each outcome a run has, and the rows that it makes."""
        outcomes: Counter[str] = Counter()
        new: dict[Identity, File] = {}
        relevant = {row for row in self.rows if row[2] == model or not rescore}
        present = {(path, content) for path, content, _ in relevant}
        stats = {(row[0], *self._stats[row]) for row in relevant}
        for path, file in files.items():
            if path.endswith(".part"):
                outcomes["deferred"] += 1
            elif (path, file.sha256) in present or (path, *_stat(file)) in stats:
                outcomes["unchanged"] += 1
            else:
                outcomes[_status(file)] += 1
                new[path, file.sha256, model] = file
        return outcomes, new

    def add(self, new: dict[Identity, File]) -> None:
        """Add rows."""
        self.rows |= {row: _status(file) for row, file in new.items()}
        self._stats |= {row: _stat(file) for row, file in new.items()}


def _status(file: File) -> str:
    return "scored" if file.is_good else "rejected"


def _stat(file: File) -> tuple[int, int]:
    return len(file.content or b""), file.modified_ns

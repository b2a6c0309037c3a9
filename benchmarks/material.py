"""Recordings, and inboxes of as many distinct files as are wanted, made of them."""

import os
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from audiomnist.core.processes import available_cores
from audiomnist.ingest import download

PARAMETERS = Path("params.yaml")
SELECTED = Path("models/selected")

_RAW = Path("data/raw")
_FOLDER_FILES = 1000
_MARK_BYTES = 4


@dataclass(frozen=True)
class Setting:
    """What all measurements share.

    Attributes:
        checkout: the folder of this repository.
        work: a folder for what is made on the way.
        recordings: WAV files of the corpus, in random order.
        repetitions: rounds of each measurement.
        is_quick: whether all sizes are tiny, and the figures mean nothing.
        console: where progress is shown.
    """

    checkout: Path
    work: Path
    recordings: Sequence[Path]
    repetitions: int
    is_quick: bool
    console: Console

    @property
    def cores(self) -> int:
        """How many cores everything may use."""
        return available_cores()

    @property
    def parameters(self) -> Path:
        """The file of parameters."""
        return self.checkout / PARAMETERS

    def size(self, full: int, quick: int) -> int:
        """Return a number, or the one that stands for it where all is tiny."""
        return quick if self.is_quick else full

    def inbox(self, files: int) -> Path:
        """Return a folder of so many distinct files, made when it is first asked for."""
        folder = self.work / f"inbox-{files}"
        if not folder.exists():
            fill(folder, self.recordings, files)
        return folder


def recordings(checkout: Path, work: Path) -> list[Path]:
    """Return the recordings in random order: those of AUDIOMNIST_SOURCE, of the pipeline, or upstream's."""
    folder = checkout / _RAW
    if os.environ.get(download.SOURCE_VARIABLE) or not folder.is_dir():
        folder = work / "recordings"
        folder.mkdir()
        download.fetch(folder)
    found = sorted(folder.glob("*.wav"))
    random.Random(0).shuffle(found)
    return found


def fill(folder: Path, recordings: Sequence[Path], files: int) -> None:
    """Write distinct files into a new folder, a thousand to a sub-folder, and wait until the disk has them."""
    folder.mkdir()
    for number, content in enumerate(contents(recordings, files)):
        place = folder / f"{number // _FOLDER_FILES:04}"
        if number % _FOLDER_FILES == 0:
            place.mkdir()
        (place / f"{number % _FOLDER_FILES:03}.wav").write_bytes(content)
    os.sync()


def contents(recordings: Sequence[Path], files: int) -> Iterator[bytes]:
    """Yield so many distinct contents: the recordings over and over, each ending with how often it came before.

    That number takes the place of the last four bytes, which are two samples: so quiet that no model minds.
    """
    whole = list(dict.fromkeys(path.read_bytes()[:-_MARK_BYTES] for path in recordings))
    for number in range(files):
        before, place = divmod(number, len(whole))
        yield whole[place] + before.to_bytes(_MARK_BYTES, "little")

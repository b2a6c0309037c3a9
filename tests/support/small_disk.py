"""A disk that can be filled."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from score_process import AUDIOMNIST, Process

_AS_ROOT_HERE = [] if os.geteuid() == 0 else ["--map-root-user"]
_WITHIN = [] if os.geteuid() == 0 else ["--user", "--preserve-credentials"]
_MOUNT = 'mount -t tmpfs -o size=4m none "$1" && echo mounted && exec cat'


class SmallDisk:
    """A file system of four megabytes, which only the processes in its mount namespace see.

    Attributes:
        folder: where it is mounted for those.
        launcher: starts `audiomnist` as one of them.
    """

    def __init__(self, folder: Path, holder: Process) -> None:
        """Take the folder, and the process in whose mount namespace it is one."""
        self.folder = folder
        self.launcher = ("nsenter", f"--target={holder.pid}", "--mount", *_WITHIN, *AUDIOMNIST)
        self._seen = Path(f"/proc/{holder.pid}/root", *folder.parts[1:])
        self._filler = self._seen / "filler"

    def leave(self, free_bytes: int) -> None:
        """Write a file that leaves just so much space, to the page."""
        status = os.statvfs(self._seen)
        self._filler.write_bytes(bytes(status.f_bavail * status.f_bsize - free_bytes))

    def write(self, name: str, size_bytes: int) -> None:
        """Write a file of that size."""
        self._seen.joinpath(name).write_bytes(bytes(size_bytes))

    def make_space(self) -> None:
        """Remove that file."""
        self._filler.unlink()

    def names(self) -> list[str]:
        """Return the names of the files on it, but for the file that fills it."""
        return sorted(path.name for path in self._seen.iterdir() if path != self._filler)

    def copied(self, name: str, target: Path) -> Path:
        """Return a copy of a folder on it, where every process can look."""
        return Path(shutil.copytree(self._seen / name, target, dirs_exist_ok=True))


@contextmanager
def mounted(folder: Path) -> Iterator[SmallDisk | None]:
    """Mount a small disk on a folder while the context lasts; yield None where nothing can be mounted."""
    command = ["unshare", "--mount", *_AS_ROOT_HERE, "sh", "-c", _MOUNT, "sh", str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        is_mounted = holder.stdout.readline() == "mounted\n"
        yield SmallDisk(folder, holder) if is_mounted else None

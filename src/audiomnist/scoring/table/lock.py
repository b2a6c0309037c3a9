"""Lock that allows one run per table at a time; the kernel releases it when its holder dies.

The lock is flock(2) on a file in the table's folder whose name Delta Lake treats as hidden: readers ignore it and
`vacuum` keeps it. The file stays when the lock is released, and names its last holder; only the kernel knows whether
it is held. Programs that the holder starts do not inherit the lock (a forked child without exec would).
"""

import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from audiomnist.core.errors import AudiomnistError
from audiomnist.scoring.shutdown import Stop
from audiomnist.scoring.table.location import unwritable
from audiomnist.storage.url import Place, Url

_NAME = "_audiomnist.lock"
_RETRY_EVERY_S = 0.2


class LockedError(AudiomnistError):
    """Another run holds the lock of the table."""


@contextmanager
def held(table: Place, *, wait: bool, stop: Stop | None = None) -> Iterator[None]:
    """Hold the lock of a table; its folder, which `Table.find` accepts, is created if it does not exist.

    A table in an object store has no lock: two runs at once are safe there, but one of them works in vain.

    With `wait`, wait until another run releases the lock, or raise KeyboardInterrupt once `stop` is requested.

    Raises:
        LockedError: another run holds the lock; the message names it.
        TableWriteError: the folder cannot be written.
    """
    if isinstance(table, Url):
        yield
        return
    try:
        table.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(table / _NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise unwritable(table, error) from error
    try:
        while not _is_taken(table, descriptor):
            if not wait:
                holder = f"another run ({_holder(descriptor)})"
                raise LockedError(f"{holder} holds the table {table}: wait for its end, as score --wait does")
            if stop and stop.requested:
                raise KeyboardInterrupt
            time.sleep(_RETRY_EVERY_S)
        yield
    finally:
        os.close(descriptor)


def _is_taken(table: Path, descriptor: int) -> bool:
    """Try to take the lock, and write this process to its file; return False if another run holds it."""
    since = datetime.now(UTC).isoformat(timespec="seconds")
    holder = json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "since": since})
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, holder.encode(), 0)
    except BlockingIOError:
        return False
    except OSError as error:
        raise unwritable(table, error) from error
    return True


def _holder(descriptor: int) -> str:
    """Return the run named in the file; a run that has only just taken the lock may not be there yet."""
    try:
        holder = json.loads(os.pread(descriptor, 4096, 0))
        return f"pid {holder['pid']} on {holder['host']}, since {holder['since']}"
    except (ValueError, KeyError, TypeError):
        return "which has just begun"

"""One run at a time: a lock in the table's folder, which the kernel releases when its holder dies.

The lock is flock(2) on a file whose name Delta Lake takes for hidden: no reader looks at it and `vacuum` leaves it.
The file stays when the lock is released, and says who held it last; only the kernel knows whether it is held. A
program that the holder starts does not inherit it, a child that it forks and that starts none would.
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

_NAME = "_audiomnist.lock"
_ASK_EVERY_S = 0.2


class LockedError(AudiomnistError):
    """Another run holds the table."""


@contextmanager
def held(table: Path, *, wait: bool, stop: Stop | None = None) -> Iterator[None]:
    """Hold the lock of a table, whose folder is made if need be.

    Args:
        table: the folder, which `Table.find` has no objection to.
        wait: whether to wait until another run releases it.
        stop: ends the waiting when it is set, with KeyboardInterrupt.

    Raises:
        LockedError: another run holds it; says which.
        TableWriteError: the folder cannot be written.
    """
    descriptor = _opened(table)
    try:
        if wait:
            _await(descriptor, stop or Stop())
        _take(table, descriptor)
        yield
    finally:
        os.close(descriptor)


def _opened(table: Path) -> int:
    try:
        table.mkdir(parents=True, exist_ok=True)
        return os.open(table / _NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise unwritable(table, error) from error


def _await(descriptor: int, stop: Stop) -> None:
    while True:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if stop.is_set():
                raise KeyboardInterrupt from error
            time.sleep(_ASK_EVERY_S)


def _take(table: Path, descriptor: int) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, _signature(), 0)
    except BlockingIOError as error:
        raise LockedError(
            f"another run ({_holder(descriptor)}) holds the table {table}: wait for its end, as score --wait does"
        ) from error
    except OSError as error:
        raise unwritable(table, error) from error


def _signature() -> bytes:
    since = datetime.now(UTC).isoformat(timespec="seconds")
    return json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "since": since}).encode()


def _holder(descriptor: int) -> str:
    """Return who wrote into the file; a holder that has only just taken the lock may not yet have done so."""
    try:
        holder = json.loads(os.pread(descriptor, 4096, 0))
        return f"pid {holder['pid']} on {holder['host']}, since {holder['since']}"
    except (ValueError, KeyError, TypeError):
        return "which has just begun"

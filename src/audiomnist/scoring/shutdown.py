"""Graceful shutdown: a run ends when a terminal or a service manager asks for it."""

import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from audiomnist.core.processes import ENDING_SIGNALS

# Exit status of an interrupted run.
INTERRUPTED = 130
# Time for a run to end after the second signal: a request to an object store can hold up the handlers for minutes.
_GRACE_S = 3.0


class Stop:
    """A request to end, safe to make in a signal handler: `requested` is set to True.

    threading.Event is not: it takes a lock, and a signal that arrives during a wait, or during another signal's
    `set`, would wait forever for the code that it interrupted.
    """

    requested = False


@contextmanager
def stoppable() -> Iterator[Stop]:
    """Yield a `Stop` that the first SIGINT, SIGTERM or SIGHUP requests; the second one ends the run at once.

    Where the interrupted code lets no handler run, it ends the process after `_GRACE_S`, like a SIGKILL.

    Raises:
        KeyboardInterrupt: at the second signal, even if the interrupted code raises another error.
    """
    stop, at_once = Stop(), Stop()

    def handle(_number: int, _frame: object) -> None:
        if stop.requested:
            at_once.requested = True
            for number in ENDING_SIGNALS:
                signal.signal(number, signal.SIG_IGN)  # further signals must not interrupt the cleanup
            raise KeyboardInterrupt
        stop.requested = True

    before = {number: signal.signal(number, handle) for number in ENDING_SIGNALS}
    try:
        with _ended_at_the_second_signal():
            yield stop
    except BaseException as error:
        if at_once.requested:
            raise KeyboardInterrupt from error
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _ended_at_the_second_signal() -> Iterator[None]:
    """End the process some time after the second signal, unless this context is left before."""
    reader, writer = socket.socketpair()
    with reader, writer:
        writer.setblocking(False)
        before = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
        left = threading.Event()
        watch = threading.Thread(target=_watch, args=(reader, left), daemon=True)
        watch.start()
        try:
            yield
        finally:
            left.set()
            signal.set_wakeup_fd(before)
            writer.shutdown(socket.SHUT_WR)
            watch.join()


def _watch(signals: socket.socket, left: threading.Event) -> None:
    """End the process some time after the second of the signals, unless `left` is set."""
    count = 0
    while count < 2:  # noqa: PLR2004 - the second one
        numbers = signals.recv(64)
        if not numbers:
            return
        count += sum(number in ENDING_SIGNALS for number in numbers)
    if not left.wait(_GRACE_S):
        os._exit(INTERRUPTED)

"""Graceful shutdown: a run ends when a terminal or a service manager asks for it."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

from audiomnist.core.processes import ENDING_SIGNALS

# Exit status of an interrupted run.
INTERRUPTED = 130


class Stop:
    """A request to end, safe to make in a signal handler: `requested` is set to True.

    threading.Event is not: it takes a lock, and a signal that arrives during a wait, or during another signal's
    `set`, would wait forever for the code that it interrupted.
    """

    requested = False


@contextmanager
def stoppable() -> Iterator[Stop]:
    """Yield a `Stop` that the first SIGINT, SIGTERM or SIGHUP requests; the second one ends the run at once.

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
        yield stop
    except BaseException as error:
        if at_once.requested:
            raise KeyboardInterrupt from error
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

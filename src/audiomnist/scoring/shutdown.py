"""Ending a run when a terminal or a service manager asks it to."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

from audiomnist.core.processes import ENDING_SIGNALS


class Stop:
    """A request to end, which a signal may make at any instant.

    threading.Event takes a lock for that: a signal that falls into a wait for the event, or into another signal's
    setting it, would wait for ever for what it has interrupted.
    """

    def __init__(self) -> None:
        self._requested = False

    def set(self) -> None:
        """Ask for the end."""
        self._requested = True

    def is_set(self) -> bool:
        """Return whether the end was asked for."""
        return self._requested


@contextmanager
def stoppable() -> Iterator[Stop]:
    """Yield what Ctrl-C, or a service manager, sets; a second time it ends the run at once.

    Raises:
        KeyboardInterrupt: that second time, whatever the code that it fell into made of it.
    """
    stop, at_once = Stop(), Stop()

    def handle(_number: int, _frame: object) -> None:
        if stop.is_set():
            at_once.set()
            for number in ENDING_SIGNALS:
                signal.signal(number, signal.SIG_IGN)  # the end is near: nothing shall break it off
            raise KeyboardInterrupt
        stop.set()

    before = {number: signal.signal(number, handle) for number in ENDING_SIGNALS}
    try:
        yield stop
    except BaseException as error:
        if at_once.is_set():
            raise KeyboardInterrupt from error
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

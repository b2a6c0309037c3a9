"""Ending a run when a terminal or a service manager asks it to."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event

from audiomnist.processes import ENDING_SIGNALS


@contextmanager
def stoppable() -> Iterator[Event]:
    """Yield an event that Ctrl-C, or a service manager, sets; a second time it ends the run at once.

    Raises:
        KeyboardInterrupt: that second time, whatever the code that it fell into made of it.
    """
    stop, at_once = Event(), Event()

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

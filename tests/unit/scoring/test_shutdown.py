"""Graceful shutdown: after the chunks in progress, or at once."""

import signal
from collections.abc import Callable

import pytest

from audiomnist.core.processes import ENDING_SIGNALS
from audiomnist.scoring.shutdown import stoppable


class Panic(BaseException):
    """What a library of Rust may raise."""


def signalled(*numbers: signal.Signals) -> None:
    """Send signals to this process."""
    for number in numbers:
        signal.raise_signal(number)


def misunderstood(kind: type[BaseException]) -> None:
    """Send two signals, and take what comes of the second for an error."""
    try:
        signalled(signal.SIGINT, signal.SIGTERM)
    except KeyboardInterrupt:
        raise kind from None


def failing() -> None:
    """Send one signal, then fail for another reason."""
    signalled(signal.SIGTERM)
    raise OSError("disk")


def within(run: Callable[..., None], *arguments: object) -> None:
    """Carry out a run that can be stopped."""
    with stoppable():
        run(*arguments)


@pytest.mark.parametrize("number", ENDING_SIGNALS)
def test_the_first_signal_is_noted_and_nothing_else_happens(number: signal.Signals) -> None:
    """The run ends when it comes to that."""
    with stoppable() as stop:
        assert not stop.requested
        signal.raise_signal(number)
        assert stop.requested


@pytest.mark.parametrize("number", ENDING_SIGNALS)
def test_the_second_signal_ends_the_run_at_once_and_a_third_does_nothing(number: signal.Signals) -> None:
    """So that nothing breaks off what little is left to do."""
    with stoppable():
        with pytest.raises(KeyboardInterrupt):
            signalled(signal.SIGTERM, number)
        signalled(number)


@pytest.mark.parametrize("kind", [ValueError, OSError, Panic])
def test_a_library_that_takes_the_second_signal_for_an_error_of_its_own_is_overruled(kind: type[BaseException]) -> None:
    """As Delta Lake does when the signal falls into its conversion of a commit's metadata."""
    with pytest.raises(KeyboardInterrupt):
        within(misunderstood, kind)


def test_an_error_after_one_signal_is_what_it_is() -> None:
    """It is not taken for an interruption."""
    with pytest.raises(OSError, match="disk"):
        within(failing)


def test_the_former_handlers_are_there_again_afterwards() -> None:
    """Whatever happened."""
    before = [signal.getsignal(number) for number in ENDING_SIGNALS]
    with pytest.raises(KeyboardInterrupt):
        within(signalled, signal.SIGHUP, signal.SIGHUP)
    assert [signal.getsignal(number) for number in ENDING_SIGNALS] == before

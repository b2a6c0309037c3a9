"""How far a run has come: a bar on a terminal, plain lines in a log, nothing where silence is asked for."""

import io
import re
from pathlib import Path

import pytest
from rich.console import Console

from audiomnist.scoring.progress import no_progress, progress
from audiomnist.storage.url import Url

ESCAPE = "\x1b"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> "Clock":
    """A clock that does not advance."""
    clock = Clock()
    monkeypatch.setattr("audiomnist.scoring.progress.time.monotonic", clock)
    return clock


class Clock:
    """Tells the time that it is set to, in seconds."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        """Return it."""
        return self.seconds


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    """An inbox of forty files, in two folders."""
    for number in range(40):
        path = tmp_path / "inbox" / f"{number % 2}" / f"{number}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path / "inbox"


def counts(**changed: int) -> dict[str, int]:
    """Return the counts of a run."""
    outcomes = ("found", "scored", "abstained", "rejected", "unchanged", "deferred", "remaining", "excluded")
    return dict.fromkeys(outcomes, 0) | changed


def console(*, terminal: bool, width: int = 120, quiet: bool = False) -> tuple[Console, io.StringIO]:
    """Return a console, and what is written to it."""
    out = io.StringIO()
    return Console(file=out, force_terminal=terminal, width=width, quiet=quiet, color_system=None), out


def test_in_a_log_there_is_a_line_now_and_then(inbox: Path, clock: Clock) -> None:
    """Not one per chunk; each has the files found, the new ones, the rate, and the rejected ones."""
    log, out = console(terminal=False)
    with progress(inbox, log) as show:
        for _ in range(100):
            clock.seconds += 0.25
            done = round(clock.seconds - 1000)
            show(
                counts(
                    found=1000 * done, scored=600 * done, abstained=100 * done, rejected=50 * done, unchanged=250 * done
                )
            )
    lines = out.getvalue().splitlines()
    assert lines == [
        "10,000 found, 2,500 unchanged, 7,500 new at 750 files/s, 500 rejected",
        "20,000 found, 5,000 unchanged, 15,000 new at 750 files/s, 1,000 rejected",
    ]


def test_a_short_run_leaves_no_line_in_a_log(inbox: Path, clock: Clock) -> None:
    """Its summary is enough."""
    log, out = console(terminal=False)
    with progress(inbox, log) as show:
        show(counts(found=40, scored=40))
        clock.seconds += 1
        show(counts(found=40, scored=40))
    assert out.getvalue() == ""


@pytest.mark.parametrize("width", [20, 60, 120])
def test_a_line_in_a_log_has_neither_escape_codes_nor_carriage_returns(inbox: Path, clock: Clock, width: int) -> None:
    """Whatever width a log is taken to have."""
    log, out = console(terminal=False, width=width)
    with progress(inbox, log) as show:
        clock.seconds += 60
        show(counts(found=40, scored=40))
    assert out.getvalue() == "40 found, 0 unchanged, 40 new at 1 files/s, 0 rejected\n"


def test_on_a_terminal_a_bar_says_how_far_the_run_is_and_goes_at_the_end(inbox: Path, clock: Clock) -> None:
    """Share of the inbox, speed, rejected files and the time that is left."""
    screen, out = console(terminal=True)
    with progress(inbox, screen) as show:
        clock.seconds += 2
        show(counts(found=10, scored=6, rejected=2, unchanged=2))
        clock.seconds += 2
        show(counts(found=30, scored=20, rejected=4, unchanged=6))
    assert re.search(r"75% 6 unchanged, 24 new at 6 files/s, 4 rejected +\d:\d\d:\d\d", out.getvalue())
    assert out.getvalue().endswith(f"{ESCAPE}[2K")


def test_a_bar_of_a_folder_in_an_object_store_says_how_many_were_found(clock: Clock) -> None:
    """How many there are is not known before they are listed."""
    screen, out = console(terminal=True)
    with progress(Url("s3", "bucket", "inbox"), screen) as show:
        clock.seconds += 4
        show(counts(found=3_000, scored=2_000, rejected=400, unchanged=600))
    assert "3,000 found, 600 unchanged, 2,400 new at 600 files/s, 400 rejected" in out.getvalue()
    assert "%" not in out.getvalue()


def test_a_bar_of_an_empty_inbox_is_no_fault(tmp_path: Path, clock: Clock) -> None:
    """There is nothing to divide by."""
    screen, _ = console(terminal=True)
    with progress(tmp_path, screen) as show:
        clock.seconds += 1
        show(counts())


@pytest.mark.parametrize("terminal", [False, True])
def test_a_quiet_console_shows_nothing(inbox: Path, clock: Clock, *, terminal: bool) -> None:
    """Neither bar nor lines."""
    screen, out = console(terminal=terminal, quiet=True)
    with progress(inbox, screen) as show:
        clock.seconds += 60
        show(counts(found=40, scored=40))
    assert out.getvalue() == ""


def test_no_progress_shows_nothing() -> None:
    """It accepts any counts."""
    no_progress(counts(found=1))

"""What a person has judged, what is next, and what cannot be heard any more."""

from pathlib import Path
from typing import Any

import pytest
from reviewing import RUN, Night, night

from audiomnist.core.errors import FaultError
from audiomnist.review.judgements import Judgements, current
from audiomnist.review.sample import least_certain, stratified
from audiomnist.review.session import Keystroke, Session
from audiomnist.scoring.table.location import TableWriteError
from audiomnist.scoring.table.table import Table

CLIPS = 4


@pytest.fixture
def made(tmp_path: Path) -> Night:
    """A night of four clips."""
    return night(tmp_path, CLIPS)


def session(made: Night, person: str = "ada", sample: int | None = None, **options: Any) -> Session:
    """Return a session of a person."""
    table = Table.open(made.table)
    queue = stratified(table, RUN, sample) if sample else least_certain(table, RUN)
    return Session(queue, Judgements.create(made.reviews), made.inbox, person, **options)


def labels(made: Night) -> list[tuple[str, str, str | None]]:
    """Return person, path and label of what counts."""
    found = current(Judgements.open(made.reviews).all())
    return [(judgement.judged_by, judgement.path, judgement.label) for judgement in found]


def test_each_clip_is_asked_once(made: Night) -> None:
    """The page is told what is next and after that; the model's answer comes with the judgement."""
    ended: list[dict[str, Any]] = []
    review = session(made, ended=ended.append)
    assert review.progress() == {"clip": 0, "then": 1, "judged": 0, "total": CLIPS, "lost": []}
    state = review.judge(Keystroke("a", 0, "3"))
    assert (state["clip"], state["then"], state["judged"]) == (1, 2, 1)
    assert state["last"]["label"] == "3"
    assert state["last"]["file"] == "000.wav"
    assert state["last"]["digits"][0] == (0, pytest.approx(0.3))
    for number in range(1, CLIPS):
        assert ended == []
        state = review.judge(Keystroke(f"id {number}", number, "no_digit"))
    assert (state["clip"], state["judged"]) == (None, CLIPS)
    assert ended == [state]


def test_a_repeated_keystroke_is_kept_once(made: Night) -> None:
    """And answered as before."""
    review = session(made)
    first = review.judge(Keystroke("a", 0, "3"))
    assert review.judge(Keystroke("a", 0, "3")) == first
    assert len(made.keystrokes()) == 1


def test_undo_asks_the_clip_again(made: Night) -> None:
    """And goes on where it was."""
    review = session(made)
    review.judge(Keystroke("a", 0, "3"))
    review.judge(Keystroke("b", 1, "4"))
    state = review.judge(Keystroke("c", 0, None))
    assert (state["clip"], state["then"], state["judged"]) == (0, 2, 1)
    assert review.judge(Keystroke("d", 0, "5"))["clip"] == 2
    assert labels(made) == [("ada", "001.wav", "4"), ("ada", "000.wav", "5")]


def test_another_session_goes_on(made: Night) -> None:
    """Of the same person; what was taken back is asked again. Another person hears all."""
    review = session(made)
    for number, label in [(0, "3"), (1, "4"), (1, None)]:
        review.judge(Keystroke(f"{number} {label}", number, label))
    assert session(made).progress()["clip"] == 1
    assert session(made).progress()["judged"] == 1
    assert session(made, "bob").progress()["judged"] == 0


def test_a_sample_goes_on_and_asks_what_was_judged_outside_of_it(made: Night) -> None:
    """It would be no random sample without those clips; its judgements have its strata."""
    session(made).judge(Keystroke("outside", 0, "3"))
    review = session(made, sample=CLIPS)
    assert review.progress()["judged"] == 0
    review.judge(Keystroke("a", 0, "3"))
    review.judge(Keystroke("b", 1, "3"))
    review.judge(Keystroke("c", 1, None))
    assert session(made, sample=CLIPS).progress()["judged"] == 1
    assert {(one["sample"], one["stratum"], one["stratum_rows"]) for one in made.keystrokes()[1:]} == {
        (f"{RUN}-{CLIPS}-0", 0, CLIPS)
    }


def test_a_file_that_changed_or_is_gone_is_left_out(made: Night) -> None:
    """The page is told which; the end comes without them."""
    ended: list[dict[str, Any]] = []
    review = session(made, ended=ended.append)
    (made.inbox / "000.wav").unlink()
    (made.inbox / "003.wav").write_bytes(b"RIFF")
    for number in (0, 3):
        with pytest.raises(FaultError):
            review.sound(number)
    assert review.sound(1).startswith(b"RIFF")
    lost = ["000.wav is no longer there", "003.wav has changed since it was scored"]
    assert review.progress() == {"clip": 1, "then": 2, "judged": 0, "total": CLIPS, "lost": lost}
    review.judge(Keystroke("a", 1, "3"))
    assert review.judge(Keystroke("b", 2, "3"))["clip"] is None
    assert len(ended) == 1


def test_times_follow_each_other(made: Night) -> None:
    """Even if the clock is set back: the order of keystrokes is what counts."""
    session(made).judge(Keystroke("a", 0, "3"))
    review = session(made)
    real = review._last_at  # noqa: SLF001 - as if the former one came from a clock that was ahead
    review._last_at = real.replace(year=real.year + 1)  # noqa: SLF001 - as above
    review.judge(Keystroke("b", 0, "4"))
    review.judge(Keystroke("c", 0, None))
    assert labels(made) == [("ada", "000.wav", "3")]


@pytest.mark.parametrize("number", [-1, CLIPS, 10**30])
def test_there_are_no_other_clips(made: Night, number: int) -> None:
    """Nor negative ones."""
    review = session(made)
    for ask in (review.sound, review.answer, lambda clip: review.judge(Keystroke("a", clip, "3"))):
        with pytest.raises(IndexError):
            ask(number)
    assert made.keystrokes() == []


def test_after_an_error_the_same_keystroke_is_kept_once(made: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether it was committed or not."""
    judgements = Judgements.create(made.reviews)
    review = Session(least_certain(Table.open(made.table), RUN), judgements, made.inbox, "ada")
    append = Table.append
    for committed in (False, True):

        def failing(table: Table, *arguments: Any, is_committed: bool = committed) -> int:
            if is_committed:
                append(table, *arguments)
            raise TableWriteError("the disk is full")

        monkeypatch.setattr(Table, "append", failing)
        keystroke = Keystroke(f"{committed}", int(committed), "3")
        with pytest.raises(TableWriteError):
            review.judge(keystroke)
        monkeypatch.undo()
        assert review.progress()["clip"] == int(committed)
        assert review.judge(keystroke)["clip"] == int(committed) + 1
    assert [one["judgement_id"] for one in made.keystrokes()] == ["False", "True"]

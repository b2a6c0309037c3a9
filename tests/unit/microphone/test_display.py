"""What is shown while listening."""

import io
from collections.abc import Sequence

import numpy as np
import pytest
from click import unstyle
from rich.console import Console

from audiomnist.microphone.display import Answer, Display
from audiomnist.serving.predictor import Prediction


def answer(
    probabilities: Sequence[float] | None = None, ood_score: float = 0.2, end_s: float = 12.345, model: str = "cnn"
) -> Answer:
    """Return an answer; by default it is 7 with certainty."""
    values = np.array(probabilities or [0, 0.02, 0, 0, 0, 0, 0, 0.97, 0, 0.01], dtype=np.float32)
    return Answer(end_s, model, Prediction(values, ood_score, model), 0.2134)


def shown(*answers: Answer, is_terminal: bool = False) -> str:
    """Return what is printed for answers."""
    console = Console(file=io.StringIO(), width=80, force_terminal=is_terminal, color_system=None)
    with Display(console, min_confidence=0.5) as display:
        display.show_level(np.full(441, 0.1, np.float32), is_in_word=True)
        for each in answers:
            display.show_answer(each)
        display.show_text("Seven.")
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_label_is_a_line_with_the_three_most_likely_digits_and_the_delay() -> None:
    """And the time at which the word ended; text has its own line."""
    assert shown(answer()).splitlines() == [
        "  12.35 s  cnn      7   7  97.0%  1   2.0%  9   1.0%    213 ms",
        "           text     'Seven.'",
    ]


@pytest.mark.parametrize(
    ("withheld", "why"),
    [
        (answer([0.1] * 10), "unsure"),
        (answer(ood_score=1.3), "no digit?"),
        (Answer(1, "lstm", None, 0.2), "not understood"),
    ],
)
def test_a_label_is_withheld_where_the_model_is_in_doubt(withheld: Answer, why: str) -> None:
    """Its confidence is low, the sound is unlike a digit, or its recognizer failed."""
    line = shown(withheld).splitlines()[0]
    assert line.endswith(why)
    assert line[20] == "?"
    assert len(line) <= 80


def test_models_are_side_by_side_on_a_terminal_of_80_columns() -> None:
    """With a level meter above them, and the reason why a label is withheld."""
    models = ("cnn", "rnn", "lstm", "whisper", "cascade")
    text = unstyle(shown(*(answer(model=model) for model in models), is_terminal=True))
    assert any(all(model in line for model in models) for line in text.splitlines())
    assert "-20 dBFS a word" in text
    assert max(map(len, text.splitlines())) <= 80

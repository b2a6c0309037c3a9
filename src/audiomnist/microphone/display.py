"""What `audiomnist listen` shows: a line per label, and on a terminal a level meter and the models side by side."""

from typing import NamedTuple, Self

import numpy as np
from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from audiomnist.audio.waveform import Samples
from audiomnist.serving.predictor import Prediction

_TOP = 3
_QUIETEST_DBFS = -60.0
_FALL_DB = 0.5  # of the meter per frame
_METER_WIDTH, _MAX_BAR_WIDTH = 40, 40
_CELL_WIDTH = 13  # of a model, beside its bars
_CLIPPED_DBFS = -0.01


class Answer(NamedTuple):
    """What a model makes of a word.

    Attributes:
        end_s: where the word ends, in seconds since the beginning.
        model: its name.
        prediction: None if the model's speech recognizer cannot use the word.
        delay_s: seconds from the end of the word to the prediction.
    """

    end_s: float
    model: str
    prediction: Prediction | None
    delay_s: float

    def top(self) -> list[tuple[int, float]]:
        """Return the three most probable digits, with their probabilities."""
        if self.prediction is None:
            return []
        probabilities = self.prediction.probabilities
        return [(int(digit), float(probabilities[digit])) for digit in np.argsort(-probabilities)[:_TOP]]

    def doubt(self, min_confidence: float) -> str | None:
        """Return why there is no label, None if there is one."""
        if self.prediction is None:
            return "not understood"
        if self.prediction.ood_score > 1:
            return "no digit?"
        return "unsure" if self.top()[0][1] < min_confidence else None


class Display:
    """Shows what is heard; between `with`, on a terminal, it is redrawn ten times a second."""

    def __init__(self, console: Console, min_confidence: float) -> None:
        self._console = console
        self._min_confidence = min_confidence
        self._level_dbfs = _QUIETEST_DBFS
        self._is_in_word = False
        self._answers: list[Answer] = []
        self._live = Live(console=console, get_renderable=self._drawn, refresh_per_second=10, transient=True)

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def show_level(self, frame: Samples, *, is_in_word: bool) -> None:
        """Show the peak of a frame of 10 ms, from which the meter falls slowly."""
        peak_dbfs = 20 * np.log10(float(np.abs(frame).max()) + 1e-9)
        self._level_dbfs = max(peak_dbfs, self._level_dbfs - _FALL_DB, _QUIETEST_DBFS)
        self._is_in_word = is_in_word

    def show_answer(self, answer: Answer) -> None:
        """Print a line, and show the answer beside those of other models for the same word, at once."""
        same_word = [each for each in self._answers if each.end_s == answer.end_s]
        self._answers = [*same_word, answer]
        end = "" if same_word else f"{answer.end_s:.2f} s"
        doubt = answer.doubt(self._min_confidence)
        top = answer.top()
        label = "?" if doubt else top[0][0]
        shares = "  ".join(f"{digit} {share:6.1%}" for digit, share in top)
        line = f"{end:>9}  {answer.model:8} {label}   {shares}  {1000 * answer.delay_s:5.0f} ms  {doubt or ''}"
        self._print(line.rstrip())

    def show_text(self, text: str) -> None:
        """Show the text of a speech recognizer."""
        self._print(f"{'':9}  text     {text!r}")

    def _print(self, line: str) -> None:
        self._console.print(line, soft_wrap=True, highlight=False, markup=False)
        if self._live.is_started:
            self._live.refresh()

    def _drawn(self) -> Group:
        bar = ProgressBar(total=-_QUIETEST_DBFS, completed=self._level_dbfs - _QUIETEST_DBFS, width=_METER_WIDTH)
        state = "clipped" if self._level_dbfs >= _CLIPPED_DBFS else "a word" if self._is_in_word else ""
        meter = Table.grid(padding=(0, 1))
        meter.add_row("level", bar, f"{self._level_dbfs:4.0f} dBFS", state)
        models = Table.grid(padding=(0, 2))
        models.add_row(*(self._cell(answer) for answer in self._answers))
        return Group("", meter, models)

    def _cell(self, answer: Answer) -> Table:
        width = self._console.width // len(self._answers) - _CELL_WIDTH
        cell = Table.grid(padding=(0, 1))
        doubt = answer.doubt(self._min_confidence)
        cell.add_row("", Text.assemble((answer.model, "bold"), f" {doubt or ''}"))
        for digit, share in answer.top():
            bar = ProgressBar(total=1, completed=share, width=max(1, min(width, _MAX_BAR_WIDTH)))
            cell.add_row(str(digit), bar, f"{share:.0%}")
        return cell

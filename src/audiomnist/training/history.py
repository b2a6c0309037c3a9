"""Accuracy and loss by epoch: on the disk as soon as the epoch ends, and on the terminal."""

import csv
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from audiomnist.corpus.splits import SUBSETS


@dataclass(frozen=True)
class Score:
    """Mean cross-entropy in nats, and accuracy in [0, 1]."""

    loss: float
    accuracy: float


@contextmanager
def drawn(target: Path, epochs: int) -> Iterator[Callable[[int, Sequence[Score]], None]]:
    """Yield a function that takes an epoch's number, from 1, and the scores of the three parts.

    Each call adds a row to the CSV `target` and flushes it to the disk: a run that is cut off leaves the rows
    of the epochs that it finished.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    columns = BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"), TimeRemainingColumn()
    with target.open("w", newline="", encoding="utf-8") as file, Progress(*columns) as progress:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["epoch", *(f"{part}_{what}" for part in SUBSETS for what in ("loss", "accuracy"))])
        task = progress.add_task("", total=epochs)

        def add(epoch: int, scores: Sequence[Score]) -> None:
            writer.writerow([epoch, *(round(value, 6) for score in scores for value in (score.loss, score.accuracy))])
            file.flush()
            os.fsync(file.fileno())
            progress.update(task, advance=1, description=_told(epoch, scores))

        yield add


def _told(epoch: int, scores: Sequence[Score]) -> str:
    train, validation, _ = scores
    return f"epoch {epoch}: loss {train.loss:.3f}, accuracy {train.accuracy:.3f}, validation {validation.accuracy:.3f}"

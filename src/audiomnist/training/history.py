"""Loss and accuracy by epoch, written to a CSV file after each epoch and shown as a progress bar."""

import csv
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from audiomnist.corpus.splits import SUBSETS


@dataclass(frozen=True)
class EpochMetrics:
    """Mean cross-entropy in nats, and accuracy in [0, 1], of one subset."""

    loss: float
    accuracy: float


OnEpoch = Callable[[int, Sequence[EpochMetrics]], None]


@contextmanager
def history_writer(path: Path, epochs: int) -> Iterator[OnEpoch]:
    """Yield a function that takes an epoch's number, from 1, and the metrics of the three subsets.

    Each call adds a row to the CSV `path` and syncs it to disk, so an interrupted training leaves all finished epochs.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"), TimeRemainingColumn()
    with path.open("w", newline="", encoding="utf-8") as file, Progress(*columns) as progress:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["epoch", *(f"{subset}_{metric}" for subset in SUBSETS for metric in ("loss", "accuracy"))])
        task = progress.add_task("", total=epochs)

        def write(epoch: int, metrics: Sequence[EpochMetrics]) -> None:
            writer.writerow([epoch, *(round(value, 6) for subset in metrics for value in astuple(subset))])
            file.flush()
            os.fsync(file.fileno())
            train, validation, _ = metrics
            message = f"epoch {epoch}: loss {train.loss:.3f}, accuracy {train.accuracy:.3f}"
            progress.update(task, advance=1, description=f"{message}, validation {validation.accuracy:.3f}")

        yield write
        progress.update(task, total=progress.tasks[task].completed)  # one, if the weights were fitted at once

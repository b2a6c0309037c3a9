"""The table of results, for the terminal and for the README."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from audiomnist.core.errors import AudiomnistError
from audiomnist.evaluation.names import TITLES

HEAD = ("model", "train", "test", "95% interval", "paper: train", "paper: test")


def read(comparison: Path) -> dict[str, Any]:
    """Return the comparison that the stage `compare` wrote; raises AudiomnistError if there is none."""
    try:
        found: dict[str, Any] = json.loads(comparison.read_text(encoding="utf-8"))["comparison"]
        rows(found)
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise AudiomnistError(f"no comparison can be read from {comparison} ({error}): dvc repro writes it") from error
    return found


def rows(comparison: dict[str, Any]) -> list[tuple[str, ...]]:
    """Return a row of text per model."""
    return [_row(title, comparison[name]) for name, title in TITLES.items()]


def table(comparison: dict[str, Any]) -> Table:
    """Return the results for a terminal."""
    return drawn(HEAD, rows(comparison), f"Accuracy on {comparison['dataset']}")


def drawn(head: Sequence[str], rows: Sequence[Sequence[str]], title: str) -> Table:
    """Return a table for a terminal."""
    table = Table(*head, title=title)
    for row in rows:
        table.add_row(*row)
    return table


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table."""
    return "\n".join(f"| {' | '.join(line)} |" for line in [head, ["---"] * len(head), *rows])


def _row(title: str, scored: dict[str, float]) -> tuple[str, ...]:
    interval = f"{100 * scored['accuracy_low']:.1f} to {scored['accuracy_high']:.1%}"
    paper = f"{scored['paper_train_accuracy']:.1%}", f"{scored['paper_accuracy']:.1%}"
    return title, f"{scored['train_accuracy']:.1%}", f"{scored['accuracy']:.1%}", interval, *paper

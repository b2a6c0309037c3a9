"""The selected model becomes the one that is served and reported."""

from pathlib import Path

from audiomnist.core import stage
from audiomnist.report import select as selection


def select(
    model: Path,
    metrics: Path,
    curves: Path,
    confusion: Path,
    out: Path,
    headline: Path,
    headline_curves: Path,
    headline_confusion: Path,
) -> None:
    """Select a model."""
    selection.select(model, metrics, curves, confusion, out, headline, headline_curves, headline_confusion)


if __name__ == "__main__":
    stage.run(select)

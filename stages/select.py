"""The selected model becomes the one that is served and reported."""

from pathlib import Path

from audiomnist.core import stage
from audiomnist.report import select as selection


def select(model: Path, metrics: Path, out: Path, headline: Path) -> None:
    """Select a model."""
    selection.select(model, metrics, out, headline)


if __name__ == "__main__":
    stage.run(select)

"""What an unseen speaker costs, by the number of speakers that train the model."""

from pathlib import Path

from audiomnist.core import stage
from audiomnist.protocols import summarize


def learning_curve(predictions: list[Path], out: Path, table: Path, plot: Path) -> None:
    """Report on the learning curve."""
    summarize.learning_curve(predictions, out, table, plot)


if __name__ == "__main__":
    stage.run(learning_curve)

"""What an unseen speaker costs, by the number of speakers that train the model."""

from pathlib import Path

from audiomnist import stage
from audiomnist.report import protocols


def learning_curve(predictions: list[Path], out: Path, table: Path, plot: Path) -> None:
    """Report on the learning curve."""
    protocols.learning_curve(predictions, out, table, plot)


if __name__ == "__main__":
    stage.run(learning_curve)

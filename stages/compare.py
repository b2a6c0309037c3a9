"""The models side by side, and beside the paper."""

from pathlib import Path

from audiomnist.core import stage
from audiomnist.report import compare as comparison


def compare(predictions: Path, metrics: Path, out: Path) -> None:
    """Compare the models on the same test clips."""
    comparison.compare(predictions, metrics, out)


if __name__ == "__main__":
    stage.run(compare)

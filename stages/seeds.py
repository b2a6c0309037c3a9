"""The models on several random splits."""

from pathlib import Path

from audiomnist.core import stage
from audiomnist.protocols import summarize


def seeds(predictions: list[Path], out: Path, table: Path) -> None:
    """Report on the random splits."""
    summarize.seeds(predictions, out, table)


if __name__ == "__main__":
    stage.run(seeds)

"""The models on several random splits."""

from pathlib import Path

from audiomnist import stage
from audiomnist.report import protocols


def seeds(predictions: list[Path], out: Path, table: Path) -> None:
    """Report on the random splits."""
    protocols.seeds(predictions, out, table)


if __name__ == "__main__":
    stage.run(seeds)

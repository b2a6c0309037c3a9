"""The models on upstream's own split."""

from pathlib import Path

from audiomnist.core import stage
from audiomnist.protocols import summarize


def official(predictions: list[Path], out: Path) -> None:
    """Report on the official split."""
    summarize.official(predictions, out)


if __name__ == "__main__":
    stage.run(official)

"""The models on upstream's own split."""

from pathlib import Path

from audiomnist import stage
from audiomnist.report import protocols


def official(predictions: list[Path], out: Path) -> None:
    """Report on the official split."""
    protocols.official(predictions, out)


if __name__ == "__main__":
    stage.run(official)

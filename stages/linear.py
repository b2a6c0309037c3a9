"""Stage `linear`: the linear baseline on every split of a protocol."""

from pathlib import Path

from audiomnist.core import stage
from audiomnist.protocols.linear import cross_validate


def linear(protocol: str, parameters: Path, recordings: Path, features: Path, out: Path) -> None:
    """Fit and evaluate the baseline on each split."""
    cross_validate(protocol, parameters, recordings, features, out)


if __name__ == "__main__":
    stage.run(linear)

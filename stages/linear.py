"""The linear baseline on every split of a protocol."""

from pathlib import Path

from audiomnist.core import params, stage
from audiomnist.models.params.linear import BaselineParams
from audiomnist.protocols.linear import cross_validate


def linear(protocol: str, parameters: Path, recordings: Path, features: Path, out: Path) -> None:
    """Fit and evaluate the baseline on each split."""
    section = params.section(parameters, "models.linear", BaselineParams)
    cross_validate(protocol, parameters, recordings, features, section, out)


if __name__ == "__main__":
    stage.run(linear)

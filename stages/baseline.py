"""The linear baseline: fitted to the training part, it labels the test part."""

from pathlib import Path

from audiomnist.core import params, stage
from audiomnist.models import linear


def baseline(features: Path, split: Path, parameters: Path, out: Path) -> None:
    """Fit the baseline and write its test predictions."""
    linear.predict(features, split, out, params.section(parameters, "models.linear", linear.BaselineParams))


if __name__ == "__main__":
    stage.run(baseline)

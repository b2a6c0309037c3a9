"""How a model bears what happens to recordings: noise, other levels, speeds, lines and devices."""

from pathlib import Path

from audiomnist.core import params, stage
from audiomnist.robustness import evaluate as report
from audiomnist.robustness.conditions import RobustnessParams


def robustness(model: Path, raw: Path, split: Path, parameters: Path, metrics: Path, table: Path, plot: Path) -> None:
    """Judge a model on disturbed test clips."""
    how = params.section(parameters, "robustness", RobustnessParams)
    report.robustness(model, raw, split, how, metrics, table, plot)


if __name__ == "__main__":
    stage.run(robustness)

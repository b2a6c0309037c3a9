"""Accuracy of a model under noise, other levels, speeds, lines and devices, and on sounds that are not digits."""

from pathlib import Path

from audiomnist.core import params, stage
from audiomnist.robustness.conditions import RobustnessParams
from audiomnist.robustness.evaluate import evaluate_robustness


def robustness(model: Path, raw: Path, split: Path, parameters: Path, report: Path, table: Path, plot: Path) -> None:
    """Evaluate a model on corrupted test clips."""
    section = params.section(parameters, "robustness", RobustnessParams)
    evaluate_robustness(model, raw, split, section, report, table, plot)


if __name__ == "__main__":
    stage.run(robustness)

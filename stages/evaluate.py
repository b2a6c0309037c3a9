"""One model's scores, test predictions and plots, from its bundle."""

from pathlib import Path

from audiomnist import stage
from audiomnist.report import assessment


def evaluate(
    model: Path,
    inputs: Path,
    raw: Path,
    split: Path,
    curves: Path,
    metrics: Path,
    predictions: Path,
    plots: Path,
    *,
    foreign: bool = True,
) -> None:
    """Judge a model, with --no-foreign on digits alone."""
    assessment.evaluate(model, inputs, raw, split, curves, metrics, predictions, plots, foreign_sounds=foreign)


if __name__ == "__main__":
    stage.run(evaluate)

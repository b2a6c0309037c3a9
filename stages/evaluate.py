"""One model's scores, test predictions and plots, from its bundle."""

from pathlib import Path

from audiomnist.core import stage
from audiomnist.evaluation import evaluate as assessment
from audiomnist.evaluation.evaluate import Inputs, Outputs


def evaluate(
    trained: Path,
    inputs: Path,
    raw: Path,
    split: Path,
    curves: Path,
    metrics: Path,
    predictions: Path,
    plots: Path,
    served: Path | None = None,
    *,
    foreign: bool = True,
) -> None:
    """Judge a model as it is served, compiled first if no --served is given; with --no-foreign on digits alone."""
    given, made = Inputs(inputs, raw, split, curves), Outputs(metrics, predictions, plots)
    assessment.evaluate(trained, served, given, made, foreign_sounds=foreign)


if __name__ == "__main__":
    stage.run(evaluate)

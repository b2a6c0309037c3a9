"""One model's scores, test predictions and plots."""

from pathlib import Path

from audiomnist.core import stage
from audiomnist.evaluation import evaluate as evaluation


def evaluate(
    served: Path, inputs: Path, raw: Path, split: Path, history: Path, metrics: Path, predictions: Path, plots: Path
) -> None:
    """Evaluate a served model."""
    evaluation.evaluate(served, inputs, raw, split, history, metrics, predictions, plots)


if __name__ == "__main__":
    stage.run(evaluate)

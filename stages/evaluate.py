"""Stage `evaluate`: one model's scores, test predictions and plots."""

from audiomnist.core import stage
from audiomnist.evaluation.evaluate import evaluate

if __name__ == "__main__":
    stage.run(evaluate)

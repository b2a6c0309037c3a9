"""Weights of one model, and its loss and accuracy by epoch."""

from pathlib import Path

from audiomnist.core import stage
from audiomnist.training import train as training


def train(model: str, parameters: Path, inputs: Path, split: Path, corpus: Path, out: Path, history: Path) -> None:
    """Train a model."""
    training.train(model, parameters, inputs, split, corpus, out, history)


if __name__ == "__main__":
    stage.run(train)

"""One model: its bundle and its curves."""

from pathlib import Path

from audiomnist.core import stage
from audiomnist.corpus import splits
from audiomnist.training import train as training


def train(
    model: str,
    parameters: Path,
    inputs: Path,
    split: Path,
    corpus: Path,
    out: Path,
    curves: Path,
    scheme: str | None = None,
    seed: int | None = None,
    held_out: str | None = None,
    training_speakers: int | None = None,
    speaker_folds: int | None = None,
) -> None:
    """Train a model; what is given for the split and the folds goes before params.yaml."""
    made_by = splits.chosen(parameters, scheme, seed, held_out, training_speakers)
    training.train(model, parameters, inputs, split, corpus, out, curves, made_by, speaker_folds)


if __name__ == "__main__":
    stage.run(train)

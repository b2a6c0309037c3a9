"""Two trainings of a convolutional network, ours and the paper's: their steps, tried on a few clips."""

import csv
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from audiomnist.core import params
from audiomnist.core.hashing import sha256_of
from audiomnist.corpus import manifest
from audiomnist.corpus.manifest import Recording
from audiomnist.corpus.splits import Clip, SplitParams
from audiomnist.features.extract import FeatureParams, featurize
from audiomnist.models.common.registry import architecture
from audiomnist.training import trainer
from audiomnist.training.trainer import Recipe, TrainParams

TARGET_ACCURACY = 0.995

_MODEL = "cnn"
_EPOCHS = 3
# Three convolutions of 4 x 4, each with max pooling, over MFCCs as they are; 50 epochs in batches of 32.
_PAPERS_NETWORK = {
    "channels": [256, 128, 64],
    "kernel": 4,
    "blocks": [0, 0, 0],
    "halve": "max",
    "mean_removed": 0.0,
    "range_db": 200.0,
    "masked_fraction": 0.0,
    "masked_bands": 0,
}
_PAPERS_TRAINING = {"epochs": 50, "batch_size": 32, "plain_share": 1.0, "label_smoothing": 0.0, "voices_per_clip": 0.0}


@dataclass(frozen=True)
class Training:
    """A network, how it is trained, and which share of the recordings teaches it.

    Attributes:
        network: its section of params.yaml.
        how: the section `train`.
        share: in (0, 1).
    """

    network: dict[str, Any]
    how: TrainParams
    share: float

    def clips(self, recordings: int) -> int:
        """Return how many clips a whole training sees, those of synthetic voices among them."""
        plain = round(self.how.epochs * self.how.plain_share)
        varied = (self.how.epochs - plain) * (1 + self.how.voices_per_clip)
        return round((plain + varied) * self.share * recordings)

    def recipe(self, inputs: Path, clips: Sequence[Clip]) -> Recipe:
        """Return three epochs on some clips, which are varied in all of them if they are in any."""
        chosen = architecture(_MODEL)
        plain_share = 1.0 if self.how.plain_share == 1 else 0.0
        short = {"epochs": _EPOCHS, "plain_share": plain_share, "voices_per_clip": 0.0}
        how = self.how.model_copy(update={**short, "threads": 1, "device": "cpu"})
        return Recipe(chosen, chosen.params.model_validate(self.network), inputs, how, list(clips))


def ours(parameters: Path) -> Training:
    """Return the training that params.yaml describes."""
    split = params.section(parameters, "split", SplitParams)
    share = (1 - split.test_fraction) * (1 - split.validation_fraction)
    network = params.read(parameters)["models"][_MODEL]
    return Training(network, params.section(parameters, "train", TrainParams), share)


def papers(parameters: Path) -> Training:
    """Return the paper's; what it does not say is taken from params.yaml."""
    own = ours(parameters)
    test_fraction = params.section(parameters, "split", SplitParams).test_fraction
    return replace(
        own,
        network={**own.network, **_PAPERS_NETWORK},
        how=own.how.model_copy(update=_PAPERS_TRAINING),
        share=1 - test_fraction,
    )


def featurized(recordings: Sequence[Path], parameters: Path, folder: Path) -> list[Clip]:
    """Write features of recordings, and of one copy of each, into a folder; return the clips.

    The first two stand in the parts that do not teach.
    """
    described = [manifest.parse_name(path.name, sha256_of(path)) for path in recordings]
    manifest.write(folder / "recordings.csv", described)
    features = params.section(parameters, "features", FeatureParams)
    augment = features.augment.model_copy(update={"copies": 1})
    how = features.model_copy(update={"augment": augment})
    featurize(folder / "recordings.csv", recordings[0].parent, how, inputs(folder))
    parts = ["validation", "test", *["train"] * (len(described) - 2)]
    return [_clip(one, part) for one, part in zip(described, parts, strict=True)]


def inputs(folder: Path) -> Path:
    """Return where `featurized` puts features."""
    return folder / "features"


def clips_per_cpu_s(recipe: Recipe) -> float:
    """Return how many clips a CPU second trains, without the first epoch, which warms up."""
    ends: list[float] = []
    trainer.fit(recipe, recipe.examples(), lambda _epoch, _scores: ends.append(time.process_time()))
    return (len(ends) - 1) * len(recipe.part("train")) / (ends[-1] - ends[0])


def reached(curves: Path) -> dict[str, Any]:
    """Return the best test accuracy of a training's curves, and the first epoch that had 99.5%; None for never."""
    with curves.open(newline="", encoding="utf-8") as file:
        accuracies = [float(row["test_accuracy"]) for row in csv.DictReader(file)]
    epochs = [epoch for epoch, accuracy in enumerate(accuracies, 1) if accuracy >= TARGET_ACCURACY]
    return {
        "epochs": len(accuracies),
        "best_test_accuracy": max(accuracies),
        "epochs_to_target_accuracy": min(epochs, default=None),
    }


def _clip(recording: Recording, part: str) -> Clip:
    return Clip(recording.file, recording.digit, recording.speaker, part)

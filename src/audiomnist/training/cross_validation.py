"""How networks of one kind answer voices that they were not trained on.

The speakers of the training and validation parts are dealt into folds. For each fold a network is trained without
its speakers and then asked about their clips. The test part is not looked at.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from audiomnist.corpus.splits import Clip
from audiomnist.models.common.base import ClipDataset, Network
from audiomnist.models.common.ood import OodClassifier
from audiomnist.training.trainer import TrainingJob, embed, fit, labels_of


@dataclass(frozen=True)
class Fold:
    """A training without some speakers, and the clips of these."""

    recipe: TrainingJob
    strangers: list[Clip]


@dataclass(frozen=True)
class Outputs:
    """Logits `(clips, 10)`, novelty `(clips,)` and digits `(clips,)` of clips."""

    logits: Tensor
    novelty: Tensor
    labels: Tensor


def folds(recipe: TrainingJob) -> list[Fold]:
    """Deal the speakers into folds; none is made that leaves no clip to train on or to choose by."""
    heard = [clip for clip in recipe.clips if clip.subset != "test"]
    speakers = sorted({clip.speaker for clip in heard})
    count = min(recipe.how.calibration_folds, len(speakers)) if len(speakers) > 1 else 0
    dealt = [_without(recipe, heard, set(speakers[index::count])) for index in range(count)]
    return [fold for fold in dealt if fold.recipe.subset("train") and fold.recipe.subset("validation")]


def _without(recipe: TrainingJob, heard: Sequence[Clip], speakers: set[str]) -> Fold:
    others = [clip for clip in heard if clip.speaker not in speakers]
    return Fold(replace(recipe, clips=others), [clip for clip in heard if clip.speaker in speakers])


def answers_of(fold: Fold) -> Outputs:
    """Train a fold's network and ask it about the strangers."""
    recipe, examples = fold.recipe, fold.recipe.examples()
    network = fit(recipe, examples, lambda _epoch, _scores: None)
    return answers(judged(network, recipe, examples), examples, fold.strangers)


def judged(network: Network, recipe: TrainingJob, examples: ClipDataset) -> OodClassifier:
    """Let a network judge novelty by the training part of its own recipe."""
    train = recipe.subset("train")
    return OodClassifier.fitted(network, embed(network, examples, train), labels_of(train)).eval()


def answers(judge: OodClassifier, examples: ClipDataset, clips: Sequence[Clip]) -> Outputs:
    """Ask a network about clips, as they are."""
    with torch.inference_mode():
        return Outputs(*judge.judge(embed(judge.network, examples, clips)), labels_of(clips))


def joined(parts: Sequence[Outputs]) -> Outputs:
    """Return the answers of several folds as one."""
    return Outputs(
        torch.cat([part.logits for part in parts]),
        torch.cat([part.novelty for part in parts]),
        torch.cat([part.labels for part in parts]),
    )

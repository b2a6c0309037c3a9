"""Cross-validation by speaker: outputs of networks for speakers that they were not trained on.

The speakers of the training and validation subsets are divided into folds. For each fold a network is trained without
its speakers and applied to their clips. The test subset is not used.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor

from audiomnist.corpus.splits import Clip
from audiomnist.models.common.base import ClipDataset, Network
from audiomnist.models.common.ood import OodClassifier
from audiomnist.training.trainer import TrainingJob, embed, labels_of, train_network


@dataclass(frozen=True)
class Fold:
    """A training without some speakers, and the clips of these speakers."""

    job: TrainingJob
    held_out: list[Clip]


class Outputs(NamedTuple):
    """Logits `(clips, 10)`, novelty `(clips,)` and digits `(clips,)` of clips."""

    logits: Tensor
    novelty: Tensor
    labels: Tensor


def folds(job: TrainingJob) -> list[Fold]:
    """Return the folds, except those without any training or any validation clip."""
    clips = [clip for clip in job.clips if clip.subset != "test"]
    speakers = sorted({clip.speaker for clip in clips})
    count = min(job.params.calibration_folds, len(speakers)) if len(speakers) > 1 else 0
    all_folds = []
    for index in range(count):
        held_out = speakers[index::count]
        remaining = [clip for clip in clips if clip.speaker not in held_out]
        all_folds.append(Fold(replace(job, clips=remaining), [clip for clip in clips if clip.speaker in held_out]))
    return [fold for fold in all_folds if fold.job.subset("train") and fold.job.subset("validation")]


def out_of_fold_outputs(fold: Fold) -> Outputs:
    """Train the network of a fold and return its outputs for the held-out speakers."""
    dataset = fold.job.open_dataset()
    network = train_network(fold.job, dataset)
    return outputs_of(ood_classifier(network, fold.job, dataset), dataset, fold.held_out)


def ood_classifier(network: Network, job: TrainingJob, dataset: ClipDataset) -> OodClassifier:
    """Return the classifier of a trained network, fitted to its training subset, in evaluation mode."""
    clips = job.subset("train")
    return OodClassifier.fitted(network, embed(network, dataset, clips), labels_of(clips)).eval()


def outputs_of(classifier: OodClassifier, dataset: ClipDataset, clips: Sequence[Clip]) -> Outputs:
    """Return the outputs for the unaltered inputs of clips."""
    with torch.inference_mode():
        logits, novelty = classifier.classify_features(embed(classifier.network, dataset, clips))
    return Outputs(logits, novelty, labels_of(clips))


def concatenate(outputs: Sequence[Outputs]) -> Outputs:
    """Return the outputs of several folds as one."""
    return Outputs(*(torch.cat(tensors) for tensors in zip(*outputs, strict=True)))

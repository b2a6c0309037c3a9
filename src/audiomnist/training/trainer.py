"""Training loop for all networks.

Weights are fitted to the training subset, and the validation subset selects the checkpoint. The test subset is only
evaluated: its loss and accuracy are recorded, and nothing is selected by them.
"""

import copy
import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from audiomnist.core.errors import AudiomnistError
from audiomnist.corpus.splits import SUBSETS, Clip
from audiomnist.models.common.base import Architecture, ClipDataset, Network
from audiomnist.training.batching import Batch, ClipSource, EpochData
from audiomnist.training.history import EpochMetrics, OnEpoch
from audiomnist.training.params import TrainParams

_EVALUATION_BATCH = 256
_MIN_CLIPS = 2
_MAX_GRADIENT_NORM = 5.0


class FittingError(AudiomnistError):
    """A network cannot be trained as configured."""


@dataclass(frozen=True)
class TrainingJob:
    """Everything that a training depends on; picklable.

    `network_params` is the network's section, `inputs` the folder of its dataset, and `clips` the split.
    """

    architecture: Architecture
    network_params: Any
    inputs: Path
    params: TrainParams
    clips: list[Clip]

    def open_dataset(self) -> ClipDataset:
        """Open the inputs."""
        return self.architecture.open_dataset(self.inputs)

    def subset(self, name: str) -> list[Clip]:
        """Return the clips of one subset, in order."""
        return [clip for clip in self.clips if clip.subset == name]

    def synthetic(self, dataset: ClipDataset) -> tuple[ClipDataset, list[Clip], dict[str, Any]] | None:
        """Return what `ClipDataset.synthetic` returns, or None if synthetic speakers are disabled."""
        return dataset.synthetic() if self.params.synthetic_ratio > 0 else None

    def epoch_data(self, dataset: ClipDataset) -> EpochData:
        """Return the data of an epoch with augmentation."""
        training = ClipSource(dataset, self.subset("train"), self.params.clean_prob)
        synthetic = self.synthetic(dataset)
        if synthetic is None:
            return EpochData(training)
        inputs, clips, _ = synthetic
        count = round(self.params.synthetic_ratio * len(training.clips))
        return EpochData(training, ClipSource(inputs, clips), min(count, len(clips)))


def train_network(job: TrainingJob, dataset: ClipDataset, on_epoch: OnEpoch | None = None) -> Network:
    """Train a network on the dataset of a job.

    `on_epoch` is called with each epoch's number, from 1, and the metrics of the three subsets; those of the training
    subset are of the augmented clips.

    Returns:
        the network with the checkpoint's weights (`TrainParams.checkpoint_from_last`), on the CPU, in evaluation mode.

    Raises:
        FittingError: the device is not available, there are fewer than two training clips, or training diverged.
    """
    params = job.params
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(mode=True)
    torch.set_num_threads(params.num_threads)
    torch.manual_seed(params.seed)
    clips = job.subset("train")
    if len(clips) < _MIN_CLIPS:
        raise FittingError(f"{len(clips)} training clips are too few: see split in params.yaml")
    network = job.architecture.build(job.network_params, dataset.input_spec())
    inputs, lengths = _tensors(dataset, clips)
    network.scale_by(inputs, lengths)
    fitted = network.fit(inputs, lengths, labels_of(clips))
    trainer = Trainer(network, job, dataset)
    if fitted:
        if on_epoch is not None:
            on_epoch(1, trainer.evaluate())
        return network.cpu().eval()
    first = min(round(params.epochs * (1 - params.checkpoint_from_last)), params.epochs - 1)
    best, weights = math.inf, network.state_dict()
    for epoch in range(params.epochs):
        metrics = trainer.epoch(epoch)
        if on_epoch is not None:
            on_epoch(epoch + 1, metrics)
        train, validation, _ = metrics
        if not math.isfinite(train.loss + validation.loss):
            raise FittingError(f"training diverged in epoch {epoch + 1}: lower train.learning_rate in params.yaml")
        if epoch >= first and validation.loss < best:
            best, weights = validation.loss, copy.deepcopy(network.state_dict())
    network.load_state_dict(weights)
    return network.cpu().to(memory_format=torch.contiguous_format).eval()


def embed(network: Network, dataset: ClipDataset, clips: Sequence[Clip]) -> Tensor:
    """Return features, float32 `(clips, features)`, of the unaltered inputs of clips."""
    with torch.inference_mode():
        return torch.cat([network.embed(*batch) for batch in _evaluation_batches(dataset, clips)])


def labels_of(clips: Sequence[Clip]) -> Tensor:
    """Return the digits of clips, int64 `(clips,)`."""
    return torch.tensor([clip.digit for clip in clips])


def _evaluation_batches(dataset: ClipDataset, clips: Sequence[Clip]) -> Iterator[tuple[Tensor, Tensor]]:
    for start in range(0, len(clips), _EVALUATION_BATCH):
        yield _tensors(dataset, clips[start : start + _EVALUATION_BATCH])


def _tensors(dataset: ClipDataset, clips: Sequence[Clip]) -> tuple[Tensor, Tensor]:
    """Return the unaltered inputs of clips, padded `(clips, ...)`, and lengths `(clips,)`."""
    inputs, lengths = dataset.get([clip.file for clip in clips])
    return torch.from_numpy(np.ascontiguousarray(inputs)), torch.from_numpy(lengths)


class Trainer:
    """The state of one training: network, optimizer, learning rate schedule and random generator."""

    def __init__(self, network: Network, job: TrainingJob, dataset: ClipDataset) -> None:
        self.job = job
        self.params = job.params
        self.dataset = dataset
        self.device = device(self.params.device)
        # Convolutions are faster with channels last, by 15% of an epoch on a CPU with AVX2.
        self.network = network.to(self.device).to(memory_format=torch.channels_last)
        self.rng = np.random.default_rng(self.params.seed)
        augmented = job.epoch_data(dataset)
        clean = EpochData(replace(augmented.training, clean_prob=1.0))
        self.augmented_epochs = round(self.params.epochs * (1 - self.params.clean_finetune_fraction))
        clean_epochs = self.params.epochs - self.augmented_epochs
        self.epochs = [augmented] * self.augmented_epochs + [clean] * clean_epochs
        rate = self.params.learning_rate
        self.optimizer = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=self.params.weight_decay)
        steps = sum(data.steps(self.params.batch_size) for data in self.epochs)
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(self.optimizer, rate, total_steps=steps)

    def epoch(self, number: int) -> tuple[EpochMetrics, EpochMetrics, EpochMetrics]:
        """Train for the epoch of that number, from 0, and return the metrics of the three subsets."""
        augment = number < self.augmented_epochs
        self.network.train()
        self.network.augment(enabled=augment)
        batches = self.epochs[number].batches(self.params.batch_size, self.rng)
        steps = [self._step(batch, mix=augment) for batch in batches]
        loss, correct, clips = map(sum, zip(*steps, strict=True))
        train = EpochMetrics(loss / clips, correct / clips)
        return train, self._evaluate("validation"), self._evaluate("test")

    def evaluate(self) -> list[EpochMetrics]:
        """Return the metrics of the unaltered inputs of the three subsets."""
        return [self._evaluate(subset) for subset in SUBSETS]

    def _step(self, batch: Batch, *, mix: bool) -> tuple[float, int, int]:
        """Update the weights; return the batch's total cross-entropy, number of correct predictions, and size."""
        inputs, lengths, labels = (tensor.to(self.device) for tensor in batch)
        if mix and self.params.mixup_alpha > 0 and inputs.is_floating_point():
            logits, loss = self._mixup(inputs, lengths, labels)
        else:
            logits = self.network(inputs, lengths)
            loss = self._loss(logits, labels)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.network.parameters(), _MAX_GRADIENT_NORM)
        self.optimizer.step()
        self.schedule.step()
        correct = int((logits.argmax(dim=1) == labels).sum())
        return float(functional.cross_entropy(logits.detach(), labels, reduction="sum")), correct, len(labels)

    def _mixup(self, inputs: Tensor, lengths: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits and loss of a batch in which each clip is mixed with another one, which weighs at most half."""
        sampled = self.rng.beta(self.params.mixup_alpha, self.params.mixup_alpha)
        weight = float(max(sampled, 1 - sampled))
        others = torch.from_numpy(self.rng.permutation(len(labels))).to(self.device)
        mixed = weight * inputs + (1 - weight) * inputs[others]
        logits = self.network(mixed, torch.maximum(lengths, lengths[others]))
        return logits, weight * self._loss(logits, labels) + (1 - weight) * self._loss(logits, labels[others])

    def _loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        return functional.cross_entropy(logits, labels, label_smoothing=self.params.label_smoothing)

    def _evaluate(self, subset: str) -> EpochMetrics:
        """Return the metrics of the unaltered inputs of a subset; NaN if it is empty."""
        clips = self.job.subset(subset)
        if not clips:
            return EpochMetrics(math.nan, math.nan)
        self.network.eval()
        with torch.inference_mode():
            batches = _evaluation_batches(self.dataset, clips)
            logits = torch.cat([self.network(*(tensor.to(self.device) for tensor in batch)).cpu() for batch in batches])
        labels = labels_of(clips)
        loss = float(functional.cross_entropy(logits, labels))
        return EpochMetrics(loss, float((logits.argmax(dim=1) == labels).float().mean()))


def device(name: str) -> torch.device:
    """Return the device for a value of `train.device`; raises FittingError if it is not available."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    elif name == "cuda" and not torch.cuda.is_available():
        raise FittingError("train.device: it is cuda, and there is none: auto takes what there is")
    return torch.device(name)

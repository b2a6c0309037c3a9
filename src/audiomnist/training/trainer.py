"""One training loop for every network.

The training part teaches, the validation part chooses the checkpoint, and the test part is only looked at:
its curve is drawn, nothing is chosen by it.
"""

import copy
import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from audiomnist.core.errors import AudiomnistError
from audiomnist.corpus.splits import SUBSETS, Clip
from audiomnist.models.common.base import Architecture, ClipDataset, Network
from audiomnist.training.batching import EpochData, Source
from audiomnist.training.history import Score
from audiomnist.training.params import TrainParams

_EVALUATION_BATCH = 256
_FEWEST_CLIPS = 2


class FittingError(AudiomnistError):
    """A network cannot be trained as asked."""


@dataclass(frozen=True)
class TrainingJob:
    """All that a training depends on; picklable, for a process of its own.

    Attributes:
        architecture: of the network.
        network_params: the network's own section.
        inputs: the folder of its inputs.
        how: how it is trained.
        clips: the split.
    """

    architecture: Architecture
    network_params: Any
    inputs: Path
    how: TrainParams
    clips: list[Clip]

    def examples(self) -> ClipDataset:
        """Open the inputs."""
        return self.architecture.examples(self.inputs)

    def subset(self, name: str) -> list[Clip]:
        """Return the clips of one part, in order."""
        return [clip for clip in self.clips if clip.subset == name]

    def synthetic(self, examples: ClipDataset) -> tuple[ClipDataset, list[Clip], dict[str, Any]] | None:
        """Return what `ClipDataset.synthetic` returns, where synthetic speakers are wanted."""
        return examples.synthetic() if self.how.synthetic_ratio > 0 else None

    def lesson(self, examples: ClipDataset) -> EpochData:
        """Return what an epoch of training is made of."""
        training = Source(examples, self.subset("train"), self.how.clean_prob)
        found = self.synthetic(examples)
        if found is None:
            return EpochData(training, None, 0)
        inputs, clips, _ = found
        wanted = round(self.how.synthetic_ratio * len(training.clips))
        return EpochData(training, Source(inputs, clips), min(wanted, len(clips)))


def fit(recipe: TrainingJob, examples: ClipDataset, add: Callable[[int, Sequence[Score]], None]) -> Network:
    """Train a network.

    Args:
        recipe: what is trained, how, and on which clips.
        examples: the inputs of the recipe.
        add: is given each epoch's number, from 1, and the scores of the three parts; the training part's are
            those of the augmented clips, as the network sees them.

    Returns:
        the network with the weights of the settled epoch whose validation loss was lowest, on the CPU, to be asked.

    Raises:
        FittingError: the device is not there, there are fewer than two training clips, or training diverged.
    """
    params = recipe.how
    _seed(params)
    parts = _parts(recipe)
    network = recipe.architecture.build(recipe.network_params, examples.service())
    network.scale_by(*_tensors(examples.clean([clip.file for clip in parts["train"]])))
    run = _Run(network, recipe.lesson(examples), parts, params)
    best = _Best()
    for epoch in range(1, params.epochs + 1):
        scores = run.epoch(epoch - 1)
        add(epoch, scores)
        if not math.isfinite(scores[0].loss + scores[1].loss):
            raise FittingError(f"training diverged in epoch {epoch}: lower train.learning_rate in params.yaml")
        if epoch > params.unsettled_epochs:
            best.consider(scores[1].loss, network)
    best.restore(network)
    return network.cpu().eval()


def embed(network: Network, examples: ClipDataset, clips: Sequence[Clip]) -> Tensor:
    """Return a network's features, float32 `(clips, features)`, of the unaltered inputs of clips."""
    rows = []
    with torch.inference_mode():
        for start in range(0, len(clips), _EVALUATION_BATCH):
            files = [clip.file for clip in clips[start : start + _EVALUATION_BATCH]]
            rows.append(network.embed(*_tensors(examples.clean(files))))
    return torch.cat(rows)


def labels_of(clips: Sequence[Clip]) -> Tensor:
    """Return the digits of clips, int64 `(clips,)`."""
    return torch.tensor([clip.digit for clip in clips])


def _tensors(arrays: tuple[NDArray[Any], NDArray[Any]]) -> tuple[Tensor, Tensor]:
    inputs, lengths = (torch.from_numpy(np.ascontiguousarray(array)) for array in arrays)
    return inputs, lengths


def _parts(recipe: TrainingJob) -> dict[str, list[Clip]]:
    parts = {part: recipe.subset(part) for part in SUBSETS}
    if len(parts["train"]) < _FEWEST_CLIPS:
        raise FittingError(f"{len(parts['train'])} training clips are too few: see split in params.yaml")
    return parts


class _Run:
    """The state of one training: network, optimizer, schedule, random generator."""

    def __init__(
        self,
        network: Network,
        lesson: EpochData,
        parts: dict[str, list[Clip]],
        params: TrainParams,
    ) -> None:
        self.device = device(params.device)
        self.network, self.lesson, self.parts, self.params = network.to(self.device), lesson, parts, params
        self.rng = np.random.default_rng(params.seed)
        self.optimizer = torch.optim.AdamW(
            network.parameters(), lr=params.learning_rate, weight_decay=params.weight_decay
        )
        self.varied_epochs = round(params.epochs * (1 - params.clean_finetune_fraction))
        steps = sum(len(self._lesson(epoch).starts(params.batch_size)) for epoch in range(params.epochs))
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(self.optimizer, params.learning_rate, total_steps=steps)

    def epoch(self, number: int) -> tuple[Score, Score, Score]:
        """Go once over the training part; return the scores of the three parts. The first number is 0."""
        self.network.train()
        self.varied = number < self.varied_epochs
        self.network.vary(wanted=self.varied)
        steps = [self._step(*batch) for batch in self._lesson(number).batches(self.params.batch_size, self.rng)]
        clips = sum(count for _, _, count in steps)
        train = Score(sum(loss for loss, _, _ in steps) / clips, sum(right for _, right, _ in steps) / clips)
        return train, self._score(self.parts["validation"]), self._score(self.parts["test"])

    def _lesson(self, epoch: int) -> EpochData:
        return self.lesson if epoch < self.varied_epochs else self.lesson.plain

    def logits(self, clips: Sequence[Clip]) -> Tensor:
        """Return logits `(clips, 10)` of the unaltered inputs, on the CPU."""
        self.network.eval()
        rows = []
        with torch.inference_mode():
            for start in range(0, len(clips), _EVALUATION_BATCH):
                files = [clip.file for clip in clips[start : start + _EVALUATION_BATCH]]
                batch = _tensors(self.lesson.training.examples.clean(files))
                rows.append(self.network(*(tensor.to(self.device) for tensor in batch)).cpu())
        return torch.cat(rows)

    def _step(self, *batch: Tensor) -> tuple[float, int, int]:
        inputs, lengths, labels = (tensor.to(self.device) for tensor in batch)
        if self.varied and self.params.mixup_alpha > 0 and inputs.is_floating_point():
            logits, loss = self._mixed(inputs, lengths, labels)
        else:
            logits = self.network(inputs, lengths)
            loss = self._loss(logits, labels)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        self.optimizer.step()
        self.schedule.step()
        right = int((logits.argmax(dim=1) == labels).sum())
        return float(functional.cross_entropy(logits.detach(), labels, reduction="sum")), right, len(labels)

    def _mixed(self, inputs: Tensor, lengths: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits and loss of a batch each of whose clips is mixed with another; its own share is the larger."""
        drawn = self.rng.beta(self.params.mixup_alpha, self.params.mixup_alpha)
        share = float(max(drawn, 1 - drawn))
        others = torch.from_numpy(self.rng.permutation(len(labels))).to(self.device)
        mixture = share * inputs + (1 - share) * inputs[others]
        logits = self.network(mixture, torch.maximum(lengths, lengths[others]))
        return logits, share * self._loss(logits, labels) + (1 - share) * self._loss(logits, labels[others])

    def _loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        return functional.cross_entropy(logits, labels, label_smoothing=self.params.label_smoothing)

    def _score(self, clips: Sequence[Clip]) -> Score:
        if not clips:
            return Score(math.nan, math.nan)
        logits, labels = self.logits(clips), labels_of(clips)
        loss = float(functional.cross_entropy(logits, labels))
        return Score(loss, float((logits.argmax(dim=1) == labels).float().mean()))


class _Best:
    """The weights of the best epoch so far."""

    def __init__(self) -> None:
        self.loss = float("inf")
        self.weights: dict[str, Tensor] = {}

    def consider(self, loss: float, network: nn.Module) -> None:
        """Remember the network if it is the best."""
        if loss < self.loss:
            self.loss, self.weights = loss, copy.deepcopy(network.state_dict())

    def restore(self, network: nn.Module) -> None:
        network.load_state_dict(self.weights)


def _seed(params: TrainParams) -> None:
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.set_num_threads(params.num_threads)
    torch.manual_seed(params.seed)
    torch.use_deterministic_algorithms(mode=True)


def device(wish: str) -> torch.device:
    """Return the device that `train.device` names; raises FittingError if it is not there."""
    if wish == "cuda" and not torch.cuda.is_available():
        raise FittingError("train.device: it is cuda, and there is none: auto takes what there is")
    automatic = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(automatic if wish == "auto" else wish)

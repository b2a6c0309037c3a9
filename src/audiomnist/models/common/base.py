"""What a network's module offers to training: its parameters, its examples, and how it is built."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor, nn

from audiomnist.core.params import Section
from audiomnist.corpus.splits import Clip


class Network(nn.Module, ABC):
    """A classifier in two steps: inputs to features, which a linear layer turns into logits."""

    classify: nn.Module

    def vary(self, *, wanted: bool) -> None:
        """Say whether training stretches what it is given; a network that never does passes over it."""

    def scale_by(self, inputs: Tensor, lengths: Tensor) -> None:
        """Take what inputs are scaled by from training clips; a network that scales nothing takes nothing."""

    @abstractmethod
    def embed(self, inputs: Tensor, lengths: Tensor | None) -> Tensor:
        """Return features, float32 `(batch, features)`, of inputs.

        Args:
            inputs: `(batch, ...)`, padded to one length.
            lengths: int64 `(batch,)`; None where all inputs have the same length, so that nothing is masked.
        """

    def forward(self, inputs: Tensor, lengths: Tensor | None) -> Tensor:
        """Return logits, float32 `(batch, 10)`."""
        logits: Tensor = self.classify(self.embed(inputs, lengths))
        return logits


class ClipDataset(Protocol):
    """Inputs of one kind, by file name."""

    def clean(self, files: list[str]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return the inputs as they are, padded `(batch, ...)`, and int64 lengths `(batch,)`."""
        ...

    def drawn(self, files: list[str], clean_prob: float, rng: Generator) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return the inputs as training sees them: each as it was recorded with that probability, or a copy of it."""
        ...

    def synthetic(self) -> "tuple[ClipDataset, list[Clip], dict[str, Any]] | None":
        """Return inputs of synthetic speakers, their clips, and how they were made; None where there are none."""
        ...

    def service(self) -> dict[str, Any]:
        """Return the bundle's `input` section: how inputs are prepared in service."""
        ...


@dataclass(frozen=True)
class Architecture:
    """One way to classify digits.

    Attributes:
        params: the model of its section in params.yaml.
        examples: opens the folder of inputs.
        build: makes the untrained network from parameters and the bundle's `input` section (`ClipDataset.service`).
    """

    params: type[Section]
    examples: Callable[[Path], ClipDataset]
    build: Callable[[Any, Mapping[str, Any]], Network]

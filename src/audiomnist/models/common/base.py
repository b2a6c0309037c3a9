"""What a network's module offers to training: its parameters, its examples, and how it is built."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor, nn

from audiomnist.core.params import Section


class Network(nn.Module, ABC):
    """A classifier in two steps: inputs to features, which a linear layer turns into logits."""

    classify: nn.Module

    def vary(self, *, wanted: bool) -> None:
        """Say whether training stretches what it is given; a network that never does passes over it."""

    @abstractmethod
    def embed(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """Return features, float32 `(batch, features)`, of padded inputs and their int64 lengths `(batch,)`."""

    def forward(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """Return logits, float32 `(batch, 10)`."""
        logits: Tensor = self.classify(self.embed(inputs, lengths))
        return logits


class Examples(Protocol):
    """Inputs of one kind, by file name."""

    def clean(self, files: list[str]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return the inputs as they are, padded `(batch, ...)`, and int64 lengths `(batch,)`."""
        ...

    def drawn(self, files: list[str], clean_share: float, rng: Generator) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return the inputs as training sees them: each as it was recorded with that probability, or a copy of it."""
        ...

    def served(self, files: list[str]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return inputs and lengths as the served graph takes them, to export it with."""
        ...

    def deployable(self, network: nn.Module) -> nn.Module:
        """Return the graph that is served."""
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
        build: makes the untrained network from parameters, examples and the training files.
    """

    params: type[Section]
    examples: Callable[[Path], Examples]
    build: Callable[[Any, Any, list[str]], Network]

"""What a network's module offers to training: its parameters, its examples, and how it is built."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from numpy.random import Generator
from numpy.typing import NDArray
from torch import nn

from audiomnist.params import Section


class Examples(Protocol):
    """Inputs of one kind, by file name."""

    def clean(self, files: list[str]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return the inputs as they are, padded `(batch, ...)`, and int64 lengths `(batch,)`."""
        ...

    def drawn(self, files: list[str], rng: Generator) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return the inputs as training sees them: one random variation of each."""
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
        build: makes the untrained network from parameters, examples and the training files; its `forward`
            takes inputs and lengths and returns logits `(batch, 10)`.
    """

    params: type[Section]
    examples: Callable[[Path], Examples]
    build: Callable[[Any, Any, list[str]], nn.Module]

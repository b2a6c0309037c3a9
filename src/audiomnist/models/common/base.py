"""Interfaces between networks, their datasets and the training loop."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Self

from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor, nn

from audiomnist.core.params import Section
from audiomnist.corpus.splits import Clip


class Network(nn.Module, ABC):
    """A classifier in two steps: `embed` returns features, `classify` turns them into logits with a linear layer."""

    classify: nn.Module
    # Whether the novelty of a clip is the odds against its predicted digit alone, without a distance of its features.
    novelty_is_odds = False

    @classmethod
    def build(cls, params: Any, input_spec: Mapping[str, Any]) -> Self:
        """Return an untrained network with parameters of its section, for the inputs of a `ClipDataset.input_spec`."""
        del input_spec
        return cls(params)

    def augment(self, *, enabled: bool) -> None:
        """Switch random warping of inputs in training mode on or off; by default there is none."""

    def scale_by(self, inputs: Tensor, lengths: Tensor) -> None:
        """Set the statistics by which inputs are scaled from training clips; by default inputs are not scaled."""

    def fit(self, inputs: Tensor, lengths: Tensor, labels: Tensor) -> bool:
        """Fit the weights to all training clips at once, and return True; by default epochs of gradient descent do."""
        del inputs, lengths, labels
        return False

    @abstractmethod
    def embed(self, inputs: Tensor, lengths: Tensor | None) -> Tensor:
        """Return features, float32 `(batch, features)`, of padded inputs `(batch, ...)` with lengths, int64 `(batch,)`.

        Lengths are None if all inputs have the same length; then nothing is masked.
        """

    def forward(self, inputs: Tensor, lengths: Tensor | None) -> Tensor:
        """Return logits, float32 `(batch, 10)`."""
        logits: Tensor = self.classify(self.embed(inputs, lengths))
        return logits


class ClipDataset(Protocol):
    """Inputs of one kind, by file name."""

    def get(self, files: list[str]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return the unaltered inputs, padded `(batch, ...)`, and lengths, int64 `(batch,)`."""

    def sample(self, files: list[str], clean_prob: float, rng: Generator) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return one version of each input: unaltered with probability `clean_prob`, else an augmented copy."""

    def synthetic(self) -> "tuple[ClipDataset, list[Clip], dict[str, Any]] | None":
        """Return inputs of synthetic speakers, their clips and how these were synthesized; None if there are none."""

    def input_spec(self) -> dict[str, Any]:
        """Return the section `input` of bundle.json: how the scorer prepares inputs."""


@dataclass(frozen=True)
class Architecture:
    """A network: the class of its section in params.yaml, how to open its folder of inputs, and `Network.build`."""

    params: type[Section]
    open_dataset: Callable[[Path], ClipDataset]
    build: Callable[[Any, Mapping[str, Any]], Network]

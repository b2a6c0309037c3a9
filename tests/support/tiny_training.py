"""What tests of training share: parameters with nothing but the training loop, and examples that are never served."""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from audiomnist.training.trainer import TrainParams

BARE = TrainParams(
    epochs=6,
    settled_share=1.0,
    clean_share=0.0,
    voices_per_clip=0.0,
    batch_size=2,
    learning_rate=0.1,
    weight_decay=0.0,
    plain_share=0.0,
    mixup=0.0,
    label_smoothing=0.0,
    seed=0,
    threads=1,
    device="cpu",
    speaker_folds=2,
)


class Unserved(ABC):
    """The part of examples that training does not ask for, only the export of what was trained."""

    @abstractmethod
    def clean(self, files: list[str]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return the inputs: the subclass has them."""

    def served(self, files: list[str]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return what `clean` returns."""
        return self.clean(files)

    def deployable(self, network: nn.Module) -> nn.Module:
        """Return the network."""
        return network

    def service(self) -> dict[str, Any]:
        """Return nothing that is asked for here."""
        return {}

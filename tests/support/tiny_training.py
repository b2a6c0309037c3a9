"""What tests of training share: parameters with nothing but the training loop, and dataset that are never served."""

from typing import Any

from audiomnist.corpus.splits import Clip
from audiomnist.models.common.base import ClipDataset
from audiomnist.training.params import TrainParams

BARE = TrainParams(
    epochs=6,
    checkpoint_from_last=1.0,
    clean_prob=0.0,
    synthetic_ratio=0.0,
    batch_size=2,
    learning_rate=0.1,
    weight_decay=0.0,
    clean_finetune_fraction=0.0,
    mixup_alpha=0.0,
    label_smoothing=0.0,
    seed=0,
    num_threads=1,
    device="cpu",
    calibration_folds=2,
)


class StubDataset:
    """The part of dataset that training does not ask for, only the description of what was trained."""

    def synthetic(self) -> tuple[ClipDataset, list[Clip], dict[str, Any]] | None:
        """Return None: there are no synthetic speakers."""
        return None

    def input_spec(self) -> dict[str, Any]:
        """Return nothing."""
        return {}

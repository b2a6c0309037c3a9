"""Section `train` of params.yaml."""

from typing import Literal

from pydantic import Field, field_validator

from audiomnist.core.params import Section


class TrainParams(Section):
    """Section `train`.

    Attributes:
        epochs: each training clip is drawn once per epoch (a last batch of one clip is left out).
        checkpoint_from_last: fraction of the epochs, at the end, among which the one with the lowest validation loss is
            the checkpoint. Then the learning rate is low; an earlier minimum on few validation clips may be chance.
        clean_prob: how often a training clip is drawn as it was recorded, and not one of its augmented copies.
        synthetic_ratio: clips of synthetic speakers per training clip and epoch, for networks over MFCCs; at most
            as many as there are.
        batch_size: clips per step.
        learning_rate: peak of the one-cycle schedule.
        weight_decay: of AdamW.
        clean_finetune_fraction: fraction of the epochs, at the end, that use unaltered recordings only: no augmented
            copies, mixup, vocal tract perturbation or synthetic speakers. This fits the network to the known speakers.
        mixup_alpha: parameter of the Beta distribution of mixup's weights (Zhang et al. 2018); 0 disables mixup. Token
            ids are never mixed.
        label_smoothing: probability taken from the true label and spread over all.
        seed: of weights, order and augmentation.
        num_threads: threads of PyTorch; results depend on it in the last digits.
        device: `auto` takes CUDA where there is one.
        calibration_folds: networks trained besides the served one, each without a fold of the speakers. Their outputs
            on the clips of these speakers calibrate confidence and `ood_score` for unseen speakers. With 0 the
            validation subset calibrates, whose speakers are known. Not 1, which would leave no speaker to train on.
    """

    epochs: int = Field(ge=1)
    checkpoint_from_last: float = Field(gt=0, le=1)
    clean_prob: float = Field(ge=0, le=1)
    synthetic_ratio: float = Field(ge=0)
    batch_size: int = Field(ge=2)
    learning_rate: float = Field(gt=0)
    weight_decay: float = Field(ge=0)
    clean_finetune_fraction: float = Field(ge=0, le=1)
    mixup_alpha: float = Field(ge=0)
    label_smoothing: float = Field(ge=0, lt=1)
    seed: int = Field(ge=0, lt=2**63)
    num_threads: int = Field(ge=1)
    device: Literal["auto", "cpu", "cuda"]
    calibration_folds: int = Field(ge=0)

    @property
    def unsettled_epochs(self) -> int:
        """How many epochs pass before the first one that may be the checkpoint."""
        return min(round(self.epochs * (1 - self.checkpoint_from_last)), self.epochs - 1)

    @field_validator("calibration_folds")
    @classmethod
    def _leaves_somebody(cls, folds: int) -> int:
        if folds == 1:
            raise ValueError("one fold would leave out every speaker: take at least 2, or 0 for none")
        return folds

"""Section `train` of params.yaml."""

from typing import Literal

from pydantic import Field, field_validator

from audiomnist.core.params import Section


class TrainParams(Section):
    """Section `train`.

    Attributes:
        epochs: number of passes over the training clips (a last batch of one clip is dropped).
        checkpoint_from_last: fraction of the epochs, at the end, among which the one with the lowest validation loss is
            the checkpoint. Then the learning rate is low; an earlier minimum on few validation clips may be chance.
        clean_prob: probability that a training clip is unaltered rather than one of its augmented copies.
        synthetic_ratio: clips of synthetic speakers per training clip in each epoch, at most as many as there are.
        batch_size: clips per step.
        learning_rate: peak of the one-cycle schedule.
        weight_decay: of AdamW.
        clean_finetune_fraction: fraction of the epochs, at the end, that use unaltered recordings only: no augmented
            copies, mixup, vocal tract perturbation or synthetic speakers. This fits the network to the known speakers.
        mixup_alpha: parameter of the Beta distribution of mixup's weights (Zhang et al. 2018); 0 disables mixup. Token
            ids are never mixed.
        label_smoothing: probability taken from the true class and spread over all.
        seed: of weights, order and augmentation.
        num_threads: threads of PyTorch; results depend on it in the last digits.
        device: `auto` uses CUDA if available.
        calibration_folds: additional networks, each trained without its share of the speakers and applied to their
            clips: these outputs calibrate confidence and novelty for unseen speakers. With 0 the validation subset, of
            known speakers, does. Not 1, which would leave no speaker to train on.
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

    @field_validator("calibration_folds")
    @classmethod
    def _not_one(cls, folds: int) -> int:
        if folds == 1:
            raise ValueError("one fold would leave out every speaker: take at least 2, or 0 for none")
        return folds

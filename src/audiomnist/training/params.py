"""Section `train` of params.yaml."""

from typing import Literal

from pydantic import Field, field_validator

from audiomnist.core.params import Section


class TrainParams(Section):
    """Section `train`.

    Attributes:
        epochs: each training clip is drawn once per epoch (a last batch of one clip is left out).
        checkpoint_from_last: share of the epochs, at the end, when the learning rate is low: of these the one with the
            lowest validation loss is the checkpoint, and no earlier one, however well it did on the few validation
            clips.
        clean_prob: how often a training clip is drawn as it was recorded, and not one of its augmented copies.
        synthetic_ratio: clips of synthetic voices drawn per epoch, for each training clip, where the network is given
            such voices; at most as many as there are.
        batch_size: clips per step.
        learning_rate: peak of the one-cycle schedule.
        weight_decay: of AdamW.
        clean_finetune_fraction: share of the epochs, at the end, in which clips are drawn as they were recorded,
            neither mixed nor stretched, without synthetic voices: what was learnt of voices in general is fitted to
            the known ones.
        mixup: parameter of the Beta distribution that says how clips are mixed in pairs, inputs and labels alike (Zhang
            et al. 2018); 0 for never. Texts are not mixed.
        label_smoothing: probability taken from the true label and spread over all.
        seed: of weights, order and augmentation.
        threads: of PyTorch; part of the result, since sums depend on it.
        device: `auto` takes CUDA where there is one.
        calibration_folds: networks trained beside the one that is served, each without its share of the speakers, whose
            clips it then answers: these answers calibrate confidence and novelty for voices that are new. With 0 the
            validation part calibrates, whose voices are known. Not 1: that one would know nobody.
    """

    epochs: int = Field(ge=1)
    checkpoint_from_last: float = Field(gt=0, le=1)
    clean_prob: float = Field(ge=0, le=1)
    synthetic_ratio: float = Field(ge=0)
    batch_size: int = Field(ge=2)
    learning_rate: float = Field(gt=0)
    weight_decay: float = Field(ge=0)
    clean_finetune_fraction: float = Field(ge=0, le=1)
    mixup: float = Field(ge=0)
    label_smoothing: float = Field(ge=0, lt=1)
    seed: int = Field(ge=0, lt=2**63)
    threads: int = Field(ge=1)
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

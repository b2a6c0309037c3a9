"""Cross-validation by speaker: which speakers a fold holds out, and the outputs for them."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.random import Generator
from numpy.typing import NDArray
from tiny_training import BARE, StubDataset
from torch import Tensor, nn

from audiomnist.core import params
from audiomnist.core.params import Section
from audiomnist.corpus.splits import SUBSETS, Clip
from audiomnist.corpus.splits import read as read_split
from audiomnist.models.common.base import Architecture, Network
from audiomnist.models.common.ood import OodClassifier
from audiomnist.models.common.registry import architecture
from audiomnist.training import cross_validation
from audiomnist.training.cross_validation import (
    Fold,
    Outputs,
    concatenate,
    folds,
    ood_classifier,
    out_of_fold_outputs,
    outputs_of,
)
from audiomnist.training.params import TrainParams
from audiomnist.training.trainer import TrainingJob, embed, labels_of

FEATURES = 6
HOW = BARE.model_copy(update={"epochs": 2, "batch_size": 4, "learning_rate": 0.01})
pytestmark = pytest.mark.usefixtures("torch_as_it_was")
INPUTS = {"cnn": "features", "rnn": "features", "lstm": "transcripts", "whisper": "logprobs"}
SPLITS = st.lists(
    st.builds(Clip, st.uuids().map(str), st.integers(0, 9), st.sampled_from("abcdefgh"), st.sampled_from(SUBSETS)),
    max_size=60,
)


@dataclass
class Ledger(StubDataset):
    """Clips whose features depend on the file name alone; it records the names that were requested."""

    asked: list[str] = field(default_factory=list)

    def get(self, files: list[str]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return features `(batch, features)`."""
        self.asked += files
        rows = [np.random.default_rng([*file.encode()]).normal(int(file[0]), 1, FEATURES) for file in files]
        return np.array(rows, dtype=np.float32), np.full(len(files), FEATURES, dtype=np.int64)

    def sample(
        self, files: list[str], clean_prob: float, rng: Generator
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return what `get` returns."""
        del clean_prob, rng
        return self.get(files)


class Linear(Network):
    """A linear classifier."""

    def __init__(self) -> None:
        super().__init__()
        self.classify = nn.Linear(FEATURES, 10)

    def embed(self, inputs: Tensor, lengths: Tensor | None) -> Tensor:
        """Return the inputs."""
        del lengths
        return inputs


def job_of(clips: list[Clip], ledger: Ledger | None = None, **changes: int) -> TrainingJob:
    """Return the job of a linear classifier."""
    entered = ledger or Ledger()
    chosen = Architecture(Section, lambda _folder: entered, lambda _params, _given: Linear())
    return TrainingJob(chosen, Section(), Path(), HOW.model_copy(update=changes), clips)


def clips_of(*speakers: str) -> list[Clip]:
    """Return five clips of each digit by each speaker: three to learn from, one to validate and one to test."""
    parts = ("train", "train", "validation", "train", "test")
    return [
        Clip(f"{digit}_{speaker}_{take}", digit, speaker, part)
        for speaker in speakers
        for digit in range(10)
        for take, part in enumerate(parts)
    ]


def speakers_of(clips: list[Clip]) -> set[str]:
    """Return who speaks."""
    return {clip.speaker for clip in clips}


@given(clips=SPLITS, count=st.integers(2, 10))
def test_each_voice_is_left_out_once(clips: list[Clip], count: int) -> None:
    """Of the speakers in training or validation, as far as there are others to train on and to choose by."""
    known = [clip for clip in clips if clip.subset != "test"]
    all_folds = folds(job_of(clips, calibration_folds=count))
    speakers = sorted(speakers_of(known))
    folds_in_all = min(count, len(speakers)) if len(speakers) > 1 else 0
    wanted = [set(speakers[number::folds_in_all]) for number in range(folds_in_all)]
    assert [speakers_of(fold.held_out) for fold in all_folds] == [
        some
        for some in wanted
        if {"train", "validation"} <= {clip.subset for clip in known if clip.speaker not in some}
    ]


@given(clips=SPLITS, count=st.integers(2, 10))
def test_a_fold_has_every_clip_but_the_test_parts_on_one_side(clips: list[Clip], count: int) -> None:
    """No voice is on both sides, no clip changes its part, and clips keep their order."""
    job = job_of(clips, calibration_folds=count)
    known = [clip for clip in clips if clip.subset != "test"]
    for fold in folds(job):
        inside, outside = speakers_of(fold.job.clips), speakers_of(fold.held_out)
        assert not inside & outside
        assert fold.job.clips == [clip for clip in known if clip.speaker in inside]
        assert fold.held_out == [clip for clip in known if clip.speaker in outside]
        assert len(fold.job.clips) + len(fold.held_out) == len(known)
        assert fold.job.params == job.params


def test_a_single_voice_makes_no_fold() -> None:
    """All other speakers are in the test set, and stay there."""
    others = [Clip("1_eve_0", 1, "eve", "test"), Clip("2_zoe_0", 2, "zoe", "test")]
    assert folds(job_of([*clips_of("ada"), *others])) == []


def test_a_held_out_voice_stands_in_no_fold() -> None:
    """Neither among those who are learned from nor among the held_out."""
    held_out = [Clip(f"{digit}_eve_0", digit, "eve", "test") for digit in range(10)]
    all_folds = folds(job_of([*clips_of("ada", "ben", "cyd"), *held_out], calibration_folds=10))
    assert [speakers_of(fold.held_out) for fold in all_folds] == [{"ada"}, {"ben"}, {"cyd"}]
    assert all("eve" not in speakers_of(fold.job.clips) for fold in all_folds)


def test_the_order_of_the_split_deals_no_voice_elsewhere() -> None:
    """Folds follow from the names."""
    clips = clips_of("ada", "ben", "cyd", "dan", "eve")
    all_folds, again = (folds(job_of(order, calibration_folds=3)) for order in (clips, clips[::-1]))
    assert [speakers_of(fold.held_out) for fold in all_folds] == [{"ada", "dan"}, {"ben", "eve"}, {"cyd"}]
    assert [speakers_of(fold.held_out) for fold in again] == [speakers_of(fold.held_out) for fold in all_folds]


def test_a_network_is_asked_about_strangers_once_it_is_trained_and_never_about_the_test_part() -> None:
    """Until then nothing of theirs is opened: neither to learn, nor to choose, nor to scale by."""
    ledger = Ledger()
    fold = folds(job_of(clips_of("ada", "ben"), ledger))[0]
    found = out_of_fold_outputs(fold)
    last = len(fold.held_out)
    assert ledger.asked[-last:] == [clip.file for clip in fold.held_out]
    before = {file.split("_")[1] for file in ledger.asked[:-last]}
    assert before == {"ben"}
    assert not {clip.file for clip in clips_of("ada", "ben") if clip.subset == "test"} & set(ledger.asked)
    assert found.labels.tolist() == [clip.digit for clip in fold.held_out]
    assert found.logits.shape == (last, 10)
    assert found.novelty.shape == (last,)


@pytest.mark.parametrize("model", ["cnn", "rnn", "lstm", "whisper"])
def test_the_same_job_gives_the_same_outputs(model: str, toy: Path) -> None:
    """To the bit, whatever was trained or drawn in between."""
    chosen = architecture(model)
    network_params = params.section(toy / "params.yaml", f"models.{model}", chosen.params)
    how = params.section(toy / "params.yaml", "train", TrainParams).model_copy(update={"epochs": 2})
    job = TrainingJob(chosen, network_params, toy / INPUTS[model], how, read_split(toy / "split.csv"))
    first, other = folds(job)
    before = out_of_fold_outputs(first)
    out_of_fold_outputs(other)
    torch.rand(17)
    after = out_of_fold_outputs(Fold(job=folds(job)[0].job, held_out=first.held_out))
    assert torch.equal(before.logits, after.logits)
    assert torch.equal(before.novelty, after.novelty)
    assert torch.equal(before.labels, after.labels)
    assert before.logits.isfinite().all()
    assert before.novelty.isfinite().all()


def test_a_network_is_fitted_to_the_training_subset_of_its_own_job() -> None:
    """Validation and test clips do not count as familiar."""
    job = job_of(clips_of("ada", "ben"))
    network, dataset = Linear(), job.open_dataset()
    train = [clip for clip in job.clips if clip.subset == "train"]
    expected = OodClassifier.fitted(network, embed(network, dataset, train), labels_of(train))
    found = ood_classifier(network, job, dataset)
    assert not found.training
    for name, value in expected.state_dict().items():
        assert torch.equal(found.state_dict()[name], value)


def test_outputs_are_those_of_the_clips_as_they_are_in_their_order() -> None:
    """Several hundred of them, which do not go into one batch; no gradient hangs on them."""
    job = job_of(clips_of("ada", "ben"))
    dataset = job.open_dataset()
    classifier = ood_classifier(Linear(), job, dataset)
    clips = clips_of(*(f"new{number}" for number in range(11)))
    found = outputs_of(classifier, dataset, clips)
    with torch.inference_mode():
        inputs, lengths = (torch.from_numpy(array) for array in dataset.get([clip.file for clip in clips]))
        logits, novelty = classifier(inputs, lengths)
    assert len(found.labels) == 550
    assert found.labels.tolist() == [clip.digit for clip in clips]
    torch.testing.assert_close(found.logits, logits)
    torch.testing.assert_close(found.novelty, novelty)
    assert not found.logits.requires_grad


def test_outputs_of_several_folds_are_concatenated_in_order() -> None:
    """Each with its label."""
    parts = [
        Outputs(torch.full((count, 10), float(count)), torch.full((count,), -float(count)), torch.arange(count))
        for count in (1, 3, 2)
    ]
    found = concatenate(parts)
    assert found.logits[:, 4].tolist() == [1, 3, 3, 3, 2, 2]
    assert found.novelty.tolist() == [-1, -3, -3, -3, -2, -2]
    assert found.labels.tolist() == [0, 0, 1, 2, 0, 1]


def test_new_voices_are_stranger_than_the_training_clips(toy: Path) -> None:
    """That is what they are asked for: by the clips that it was trained on a network would be rated too well."""
    chosen = architecture("rnn")
    network_params = params.section(toy / "params.yaml", "models.rnn", chosen.params)
    how = params.section(toy / "params.yaml", "train", TrainParams)
    job = TrainingJob(chosen, network_params, toy / "features", how, read_split(toy / "split.csv"))
    new = concatenate([out_of_fold_outputs(fold) for fold in cross_validation.folds(job)])
    assert new.novelty.median() > 0.5
    assert len(new.labels) == len([clip for clip in job.clips if clip.subset != "test"])

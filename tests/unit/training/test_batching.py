"""Data of an epoch: which clips are in it, and how they are batched."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.random import Generator
from numpy.typing import NDArray
from tiny_training import StubDataset
from torch import Tensor

from audiomnist.corpus.splits import Clip
from audiomnist.training.batching import ClipSource, EpochData

Batch = tuple[Tensor, Tensor, Tensor]


@dataclass
class Numbered(StubDataset):
    """ClipDataset whose inputs, `(batch, 2, steps)`, hold their clip's number everywhere, and nothing after its end.

    Attributes:
        shortest: steps of the shortest clip.
        longest: steps of the longest one.
        shares: the share of clean clips that each epoch asked for.
    """

    shortest: int = 1
    longest: int = 60
    shares: list[float] = field(default_factory=list)

    def length(self, number: int) -> int:
        """Return the steps of a clip."""
        return self.shortest + number * 7919 % (self.longest - self.shortest + 1)

    def get(self, files: list[str]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return the inputs."""
        lengths = np.array([self.length(int(file)) for file in files], dtype=np.int64)
        inputs = np.zeros((len(files), 2, lengths.max()), dtype=np.float32)
        for row, file, length in zip(inputs, files, lengths, strict=True):
            row[:, :length] = int(file)
        return inputs, lengths

    def sample(
        self, files: list[str], clean_prob: float, rng: Generator
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return what `get` returns."""
        del rng
        self.shares.append(clean_prob)
        return self.get(files)


class Tokens(Numbered):
    """ClipDataset whose inputs are rows of token ids, `(batch, steps)`."""

    def get(self, files: list[str]) -> tuple[NDArray[Any], NDArray[np.int64]]:
        """Return the first row of each input, as whole numbers."""
        inputs, lengths = super().get(files)
        return inputs[:, 0].astype(np.int64), lengths


def numbered(numbers: range, speaker: str = "ada") -> list[Clip]:
    """Return a clip for each number, which is its file and tells its digit."""
    return [Clip(str(number), number % 10, speaker, "train") for number in numbers]


def epoch_data(clips: int, voices: int = 0, synthetic: int = 0, clean_prob: float = 0.0) -> EpochData:
    """Return the data of an epoch of clips 1, 2, ..., and of synthetic ones from 1001 on, which may be longer."""
    other = ClipSource(Numbered(longest=90), numbered(range(1001, 1001 + synthetic))) if synthetic else None
    return EpochData(ClipSource(Numbered(), numbered(range(1, 1 + clips)), clean_prob), other, voices)


def numbers_in(batches: Sequence[Batch]) -> list[int]:
    """Return the clips of batches, in order."""
    return [int(row.flatten()[0]) for inputs, _, _ in batches for row in inputs]


def batches_of(of: EpochData, batch_size: int, seed: int = 0) -> list[Batch]:
    """Return an epoch's batches."""
    return list(of.batches(batch_size, np.random.default_rng(seed)))


@given(clips=st.integers(2, 90), batch_size=st.integers(2, 40), seed=st.integers(0, 1000))
def test_every_training_clip_is_met_once_in_an_epoch(clips: int, batch_size: int, seed: int) -> None:
    """But for one that would be alone in the last batch."""
    batches = batches_of(epoch_data(clips), batch_size, seed)
    met = numbers_in(batches)
    assert len(met) == len(set(met)) == clips - (clips % batch_size == 1)
    assert set(met) <= set(range(1, 1 + clips))


@given(
    clips=st.integers(2, 60),
    synthetic=st.integers(1, 60),
    share=st.floats(0, 1),
    batch_size=st.integers(2, 40),
    seed=st.integers(0, 1000),
)
def test_as_many_voices_as_asked_for_are_among_them_and_none_twice(
    clips: int, synthetic: int, share: float, batch_size: int, seed: int
) -> None:
    """Every training clip is there too, but for one clip that would be alone in the last batch."""
    voices = round(share * synthetic)
    of = epoch_data(clips, voices, synthetic)
    met = numbers_in(batches_of(of, batch_size, seed))
    left_out = (clips + voices) % batch_size == 1
    assert len(met) == len(set(met)) == clips + voices - left_out == clips + voices - left_out
    assert clips - left_out <= sum(number <= 1000 for number in met) <= clips
    assert voices - left_out <= sum(number > 1000 for number in met) <= voices
    assert max(met) <= 1000 + synthetic


def test_another_epoch_has_other_voices_and_the_same_training_clips() -> None:
    """Over a few epochs all voices are met."""
    of, rng = epoch_data(20, voices=30, synthetic=60), np.random.default_rng(0)
    epochs = [set(numbers_in(list(of.batches(10, rng)))) for _ in range(8)]
    assert all(set(range(1, 21)) <= epoch for epoch in epochs)
    assert len({frozenset(epoch) for epoch in epochs}) == 8
    assert set().union(*epochs) == {*range(1, 21), *range(1001, 1061)}


@given(clips=st.integers(2, 80), voices=st.integers(0, 20), batch_size=st.integers(2, 30))
def test_no_batch_holds_a_single_clip_and_there_are_as_many_as_foretold(
    clips: int, voices: int, batch_size: int
) -> None:
    """The schedule of the learning rate counts steps before there are any."""
    of = epoch_data(clips, voices, 20)
    sizes = [len(digits) for _, _, digits in batches_of(of, batch_size)]
    assert len(sizes) == of.steps(batch_size)
    assert min(sizes) >= 2
    assert max(sizes) <= batch_size


@given(clips=st.integers(2, 50), voices=st.integers(0, 20), batch_size=st.integers(2, 30), seed=st.integers(0, 99))
def test_inputs_lengths_and_digits_of_a_batch_belong_to_its_clips(
    clips: int, voices: int, batch_size: int, seed: int
) -> None:
    """Each input is whole; the batch is as long as its longest clip, and zero after each clip's end."""
    own, other = Numbered(), Numbered(longest=90)
    for inputs, lengths, digits in batches_of(epoch_data(clips, voices, 20), batch_size, seed):
        assert (inputs.dtype, lengths.dtype, digits.dtype) == (torch.float32, torch.int64, torch.int64)
        assert inputs.is_contiguous()
        assert inputs.shape == (len(digits), 2, lengths.max())
        for row, length, digit in zip(inputs, lengths.tolist(), digits.tolist(), strict=True):
            number = int(row[0, 0])
            assert length == (other if number > 1000 else own).length(number)
            assert (row[:, :length] == number).all()
            assert not row[:, length:].any()
            assert digit == number % 10


def test_token_ids_stay_whole_numbers_and_are_padded_with_zeros() -> None:
    """Rows of tokens have one dimension less than spectra."""
    of = EpochData(
        ClipSource(Tokens(), numbered(range(1, 30))), ClipSource(Tokens(longest=90), numbered(range(1001, 1020))), 10
    )
    for inputs, lengths, _ in batches_of(of, 8):
        assert inputs.dtype == torch.int64
        assert inputs.shape == (len(lengths), lengths.max())
        for row, length in zip(inputs, lengths.tolist(), strict=True):
            assert len(set(row[:length].tolist())) == 1
            assert not row[length:].any()


def test_a_batch_holds_clips_of_similar_length() -> None:
    """Padding is a small part of it, where a batch of clips in any order has more of it than of sound."""
    of = epoch_data(400)
    sorted_share, any_order = [], []
    lengths = np.array([Numbered().length(number) for number in range(1, 401)])
    for seed in range(5):
        batches = batches_of(of, 20, seed)
        sorted_share.append(sum(int(own.sum()) for _, own, _ in batches) / sum(own.max() * 20 for _, own, _ in batches))
        shuffled = np.random.default_rng(seed).permutation(lengths).reshape(20, 20)
        any_order.append(shuffled.sum() / (20 * shuffled.max(axis=1).sum()))
    assert np.mean(any_order) < 0.6
    assert min(map(float, sorted_share)) > 0.75


def test_batches_are_not_the_same_ones_in_every_epoch_and_do_not_come_by_length() -> None:
    """Who is learned with whom changes, and neither the short clips nor the long ones come first."""
    of, rng = epoch_data(100), np.random.default_rng(0)
    epochs = [list(of.batches(10, rng)) for _ in range(6)]
    together = [{frozenset(numbers_in([batch])) for batch in epoch} for epoch in epochs]
    assert len(set.union(*together)) > 50
    for epoch in epochs:
        longest = [int(lengths.max()) for _, lengths, _ in epoch]
        assert longest != sorted(longest)
        assert longest != sorted(longest, reverse=True)
    starts = {int(epoch[0][1].max()) for epoch in epochs}
    assert len(starts) > 2


def test_the_same_seed_gives_the_same_batches_and_another_seed_others() -> None:
    """In their order, with their clips in their order."""
    of = epoch_data(50, voices=15, synthetic=40)
    one, again, other = (batches_of(of, 8, seed) for seed in (3, 3, 4))
    assert numbers_in(one) == numbers_in(again) != numbers_in(other)
    for batch, same in zip(one, again, strict=True):
        assert all(torch.equal(part, twin) for part, twin in zip(batch, same, strict=True))


@pytest.mark.parametrize("synthetic", [0, 10])
def test_without_voices_an_epoch_is_the_training_part(synthetic: int) -> None:
    """Where there are none, and where none is asked for, which then alter no draw either."""
    met = numbers_in(batches_of(epoch_data(20, 0, synthetic), 6))
    assert met == numbers_in(batches_of(epoch_data(20), 6))
    assert sorted(met) == list(range(1, 21))


def test_training_clips_are_drawn_clean_as_often_as_asked_and_voices_never() -> None:
    """The share is handed on, epoch by epoch."""
    of = epoch_data(10, voices=4, synthetic=8, clean_prob=0.4)
    for seed in range(2):
        batches_of(of, 4, seed)
    assert of.synthetic is not None
    shares = [source.dataset.shares for source in (of.training, of.synthetic) if isinstance(source.dataset, Numbered)]
    assert shares == [[0.4, 0.4], [0.0, 0.0]]

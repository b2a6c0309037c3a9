"""Batches of training clips of similar length."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import DataLoader

from audiomnist.corpus.splits import Clip
from audiomnist.models.common.base import ClipDataset

# Lengths are multiplied by log-normal noise before clips are sorted, so that batches differ between epochs.
_LENGTH_NOISE = 0.15

Example = tuple[Tensor, int]
Batch = tuple[Tensor, Tensor, Tensor]


def length_batches(lengths: Sequence[int], batch_size: int, rng: Generator) -> list[list[int]]:
    """Return batches of indices of clips of similar length, in random order.

    A last batch of one clip is dropped, because batch normalization cannot use it.
    """
    noise = np.exp(rng.normal(0, _LENGTH_NOISE, len(lengths)))
    order = np.argsort(lengths * noise, kind="stable")
    starts = rng.permutation(range(0, len(order) - 1, batch_size))
    return [order[start : start + batch_size].tolist() for start in starts]


def collate(examples: Sequence[Example]) -> Batch:
    """Return inputs, padded with zeros at the end `(batch, ..., steps)`, lengths `(batch,)` and digits `(batch,)`."""
    inputs = [example.movedim(-1, 0) for example, _ in examples]
    padded = pad_sequence(inputs, batch_first=True).movedim(1, -1).contiguous()
    return padded, torch.tensor([len(example) for example in inputs]), torch.tensor([digit for _, digit in examples])


@dataclass(frozen=True)
class ClipSource:
    """Clips of a dataset; each is sampled unaltered with probability `clean_prob`, else as an augmented copy."""

    dataset: ClipDataset
    clips: Sequence[Clip]
    clean_prob: float = 0.0

    def sample(self, rng: Generator) -> list[Example]:
        """Return one version of each clip: its inputs `(..., steps)` without padding, and its digit."""
        inputs, lengths = self.dataset.sample([clip.file for clip in self.clips], self.clean_prob, rng)
        return [
            (torch.from_numpy(row[..., :length]), clip.digit)
            for row, length, clip in zip(inputs, lengths, self.clips, strict=True)
        ]


@dataclass(frozen=True)
class EpochData:
    """Clips of one epoch: each training clip once, and `synthetic_clips` of the synthetic ones, none of them twice."""

    training: ClipSource
    synthetic: ClipSource | None = None
    synthetic_clips: int = 0

    def steps(self, batch_size: int) -> int:
        """Return the number of batches of an epoch."""
        return len(range(0, len(self.training.clips) + self.synthetic_clips - 1, batch_size))

    def batches(self, batch_size: int, rng: Generator) -> DataLoader[Example]:
        """Return the batches of one epoch: see `collate`."""
        sources = [self.training]
        if self.synthetic is not None and self.synthetic_clips:
            rows = rng.choice(len(self.synthetic.clips), self.synthetic_clips, replace=False)
            sources.append(replace(self.synthetic, clips=[self.synthetic.clips[row] for row in sorted(rows)]))
        examples = [example for source in sources for example in source.sample(rng)]
        lengths = [inputs.shape[-1] for inputs, _ in examples]
        return DataLoader(
            examples,  # type: ignore[arg-type]  # any sequence will do
            batch_sampler=length_batches(lengths, batch_size, rng),
            collate_fn=collate,
            generator=torch.Generator(),  # the default one would be advanced by the loader
        )

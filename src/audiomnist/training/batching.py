"""What a network is taught with in one epoch: every training clip once, and clips of synthetic voices beside them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor

from audiomnist.corpus.splits import Clip
from audiomnist.models.common.base import ClipDataset

# Deviation of the logarithm by which lengths are blurred before clips are sorted by them: batches hold clips of
# similar length, which saves padding, and are not the same ones in every epoch.
_BLUR = 0.15


@dataclass(frozen=True)
class Source:
    """Clips, and where their inputs are.

    Attributes:
        examples: the inputs.
        clips: which.
        clean_prob: how often a clip is drawn as it was recorded, in [0, 1].
    """

    examples: ClipDataset
    clips: Sequence[Clip]
    clean_prob: float = 0.0

    def drawn(self, rng: Generator) -> tuple[NDArray[Any], NDArray[np.int64]]:
        """Return a variation of each clip: inputs, padded `(clips, ...)`, and lengths `(clips,)`."""
        return self.examples.drawn([clip.file for clip in self.clips], self.clean_prob, rng)


@dataclass(frozen=True)
class EpochData:
    """What an epoch is made of.

    Attributes:
        training: the training part.
        synthetic: synthetic voices, of which `voices` clips are drawn per epoch.
        voices: how many.
    """

    training: Source
    synthetic: Source | None
    voices: int

    @property
    def plain(self) -> "EpochData":
        """The training clips as they were recorded, and no others."""
        return EpochData(replace(self.training, clean_prob=1.0), None, 0)

    @property
    def clips(self) -> int:
        """How many clips an epoch has."""
        return len(self.training.clips) + self.voices

    def starts(self, batch_size: int) -> range:
        """Return where batches begin; batch normalization cannot learn from one clip alone."""
        return range(0, self.clips - 1, batch_size)

    def batches(self, batch_size: int, rng: Generator) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Yield inputs, padded `(batch, ...)`, lengths `(batch,)` and digits `(batch,)` of one epoch's batches."""
        inputs, lengths, digits = self._drawn(rng)
        order = np.argsort(lengths * np.exp(rng.normal(0, _BLUR, len(lengths))), kind="stable")
        for start in rng.permutation(self.starts(batch_size)):
            rows = order[start : start + batch_size]
            longest = int(lengths[rows].max())
            batch = np.ascontiguousarray(inputs[rows][..., :longest]), lengths[rows], digits[rows]
            yield tuple(map(torch.from_numpy, batch))  # type: ignore[misc]

    def _drawn(self, rng: Generator) -> tuple[NDArray[Any], NDArray[np.int64], NDArray[np.int64]]:
        sources = [self.training]
        if self.synthetic is not None and self.voices:
            chosen = rng.choice(len(self.synthetic.clips), self.voices, replace=False)
            sources.append(Source(self.synthetic.examples, [self.synthetic.clips[index] for index in sorted(chosen)]))
        drawn = [source.drawn(rng) for source in sources]
        digits = np.array([clip.digit for source in sources for clip in source.clips], dtype=np.int64)
        return _joined([inputs for inputs, _ in drawn]), np.concatenate([lengths for _, lengths in drawn]), digits


def _joined(parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Return arrays `(rows, ..., steps)` one below the other, zeros (for tokens: padding) after the shorter ones."""
    longest = max(part.shape[-1] for part in parts)
    shape = (sum(len(part) for part in parts), *parts[0].shape[1:-1], longest)
    whole = np.zeros(shape, dtype=parts[0].dtype)
    row = 0
    for part in parts:
        whole[row : row + len(part), ..., : part.shape[-1]] = part
        row += len(part)
    return whole

"""How strange a clip is to a network: a number that is higher for what is unlike its training clips.

It is the sum of two, each at mean 0 and deviation 1 over the training clips, since neither alone tells strange
sounds of every kind from digits by new voices (docs/scoring.md has the measurements):

- Mahalanobis's distance of the features before the last layer from the nearest digit's mean, under one covariance
  shared by the digits (Lee et al. 2018). Features have deviation 1 first; the covariance is drawn half-way towards a
  multiple of the identity, which new voices need, and is then nearly that of probabilistic principal components
  (Tipping and Bishop 1999): some directions with variances of their own, one variance for all others, a small matrix.
- The energy of the logits, -log sum exp (Liu et al. 2020).
"""

from typing import Self

import torch
from torch import Tensor, nn

from audiomnist.models.common.base import Network

_COMPONENTS = 32
_SHRINKAGE = 0.5
_LEAST_DEVIATION = 1e-3
# Where all clips of a digit are alike, as perfect transcripts are, rounding would be what novelty measures.
_LEAST_VARIANCE = 0.01
_LEAST_SPREAD = 0.1


class MahalanobisDistance(nn.Module):
    """Features `(batch, features)` to their distance from the nearest digit, `(batch,)`, >= 0."""

    scale: Tensor
    means: Tensor
    basis: Tensor
    gains: Tensor
    other_gain: Tensor

    def __init__(self, scale: Tensor, means: Tensor, basis: Tensor, gains: Tensor, other_gain: Tensor) -> None:
        """Take the parts of the inverse covariance, of features that were divided by their deviations.

        Args:
            scale: deviation of each feature, `(features,)`.
            means: of each digit, `(digits, features)`.
            basis: directions with a variance each, `(features, kept)`.
            gains: by how much the inverse variances of these differ from the common one, `(kept,)`.
            other_gain: inverse of the common variance, `()`.
        """
        super().__init__()
        self.register_buffer("scale", scale)
        self.register_buffer("means", means)
        self.register_buffer("basis", basis)
        self.register_buffer("gains", gains)
        self.register_buffer("other_gain", other_gain)

    @classmethod
    def fitted(cls, features: Tensor, labels: Tensor) -> Self:
        """Return the distance by the features `(clips, features)` of training clips and their digits `(clips,)`."""
        scale = features.double().std(dim=0).clamp(min=_LEAST_DEVIATION)
        exact = features.double() / scale
        digits = torch.tensor(sorted(set(labels.tolist())))
        nearest = torch.searchsorted(digits, labels)
        means = torch.stack([exact[labels == digit].mean(dim=0) for digit in digits])
        centred = exact - means[nearest]
        variances, directions = torch.linalg.eigh(centred.T @ centred / len(centred))
        shrunk = (1 - _SHRINKAGE) * variances + _SHRINKAGE * variances.mean().clamp(min=_LEAST_VARIANCE)
        kept = min(_COMPONENTS, len(shrunk) // 2)
        other = shrunk[:-kept].mean()
        basis, gains = directions[:, -kept:].contiguous(), 1 / shrunk[-kept:] - 1 / other
        return cls(*(part.float() for part in (scale, means, basis, gains, 1 / other)))

    def forward(self, features: Tensor) -> Tensor:
        """Return distances, float32 `(batch,)`."""
        scaled = features / self.scale
        offsets = scaled.unsqueeze(1) - self.means  # (batch, digits, features)
        inside = torch.matmul(scaled, self.basis).unsqueeze(1) - torch.matmul(self.means, self.basis)
        squared = self.other_gain * (offsets * offsets).sum(dim=2) + (self.gains * inside * inside).sum(dim=2)
        return squared.clamp(min=0).amin(dim=1).sqrt()


class OodClassifier(nn.Module):
    """What is served: a network that also says how strange each clip is.

    Attributes:
        centre: mean of distance and energy over the training clips, float32 `(2,)`.
        spread: their deviations, float32 `(2,)`.
    """

    centre: Tensor
    spread: Tensor

    def __init__(self, network: Network, distance: MahalanobisDistance) -> None:
        super().__init__()
        self.network = network
        self.distance = distance
        self.register_buffer("centre", torch.zeros(2))
        self.register_buffer("spread", torch.ones(2))

    @classmethod
    def fitted(cls, network: Network, features: Tensor, labels: Tensor) -> Self:
        """Return a network with the features `(clips, features)` and digits `(clips,)` of its training clips."""
        judged = cls(network, MahalanobisDistance.fitted(features, labels))
        with torch.no_grad():
            parts = judged._parts(features, network.classify(features))
        judged.centre, judged.spread = parts.mean(dim=0), parts.std(dim=0).clamp(min=_LEAST_SPREAD)
        return judged

    def forward(self, inputs: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return logits `(batch, 10)` and novelty `(batch,)` of inputs and their lengths (see `Network.embed`)."""
        return self.judge(self.network.embed(inputs, lengths))

    def judge(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Return the same from features `(batch, features)`."""
        logits: Tensor = self.network.classify(features)
        return logits, ((self._parts(features, logits) - self.centre) / self.spread).sum(dim=1)

    def _parts(self, features: Tensor, logits: Tensor) -> Tensor:
        """Return distance and energy, `(batch, 2)`."""
        return torch.stack([self.distance(features), -logits.logsumexp(dim=1)], dim=1)

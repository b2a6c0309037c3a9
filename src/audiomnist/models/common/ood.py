"""Out-of-distribution score of a clip (`novelty`): higher for inputs unlike the training clips.

It is the sum of two scores, each standardized over the training clips, because neither alone separates all kinds of
other sounds from digits of unseen speakers (measurements: docs/scoring.md):

- Mahalanobis distance of the features before the last layer to the nearest class mean, with one covariance for all
  classes (Lee et al. 2018). Features are divided by their standard deviation first. The covariance is shrunk half-way
  towards a multiple of the identity, which unseen speakers need, and then approximated as in probabilistic PCA
  (Tipping and Bishop 1999): the largest components keep their variances, all others share one.
- Energy of the logits, -log sum exp (Liu et al. 2020).

For a network whose features are answers of a recognizer it is the odds against the predicted digit, (1 - p) / p with
the largest probability p, which ranks clips as that probability does (Hendrycks and Gimpel 2017).
"""

from typing import Self

import torch
from torch import Tensor, nn

from audiomnist.models.common.base import Network

_COMPONENTS = 32
_SHRINKAGE = 0.5
_MIN_STD = 1e-3
# If all clips of a digit are alike, as perfect transcripts are, the distance would otherwise measure rounding errors.
_MIN_VARIANCE = 0.01
_MIN_SPREAD = 0.1


class MahalanobisDistance(nn.Module):
    """Distance of features `(batch, features)` to the nearest class mean, `(batch,)`, >= 0."""

    def __init__(self, scale: Tensor, means: Tensor, basis: Tensor, gains: Tensor, other_gain: Tensor) -> None:
        """Store scale, class means and the inverse covariance `other_gain * I + basis @ diag(gains) @ basis.T`.

        Args:
            scale: standard deviation of each feature, `(features,)`; the other arguments are of scaled features.
            means: `(classes, features)`.
            basis: principal components, `(features, components)`.
            gains: inverse variances of the components less `other_gain`, `(components,)`.
            other_gain: inverse of the variance in all other directions, `()`.
        """
        super().__init__()
        self.scale = nn.Buffer(scale)
        self.means = nn.Buffer(means)
        self.basis = nn.Buffer(basis)
        self.gains = nn.Buffer(gains)
        self.other_gain = nn.Buffer(other_gain)

    @classmethod
    def fitted(cls, features: Tensor, labels: Tensor) -> Self:
        """Return the distance fitted to features `(clips, features)` and digits `(clips,)` of training clips."""
        scale = features.double().std(dim=0).clamp(min=_MIN_STD)
        scaled = features.double() / scale
        classes = torch.tensor(sorted(set(labels.tolist())))
        means = torch.stack([scaled[labels == digit].mean(dim=0) for digit in classes])
        centred = scaled - means[torch.searchsorted(classes, labels)]
        variances, directions = torch.linalg.eigh(centred.T @ centred / len(centred))
        shrunk = (1 - _SHRINKAGE) * variances + _SHRINKAGE * variances.mean().clamp(min=_MIN_VARIANCE)
        components = min(_COMPONENTS, len(shrunk) // 2)
        other = shrunk[:-components].mean()
        basis = directions[:, -components:].contiguous()
        gains = 1 / shrunk[-components:] - 1 / other
        return cls(*(tensor.float() for tensor in (scale, means, basis, gains, 1 / other)))

    def forward(self, features: Tensor) -> Tensor:
        """Return distances, float32 `(batch,)`."""
        scaled = features / self.scale
        offsets = scaled.unsqueeze(1) - self.means  # (batch, classes, features)
        projected = torch.matmul(scaled, self.basis).unsqueeze(1) - torch.matmul(self.means, self.basis)
        squared = self.other_gain * (offsets * offsets).sum(dim=2) + (self.gains * projected * projected).sum(dim=2)
        return squared.clamp(min=0).amin(dim=1).sqrt()


class OodClassifier(nn.Module):
    """The served model: a network with an out-of-distribution score."""

    def __init__(self, network: Network, distance: MahalanobisDistance | None) -> None:
        super().__init__()
        self.network = network
        self.distance = distance  # None: see `Network.novelty_is_odds`
        # Means and standard deviations of distance and energy over the training clips.
        self.centre: Tensor = nn.Buffer(torch.zeros(2))
        self.spread: Tensor = nn.Buffer(torch.ones(2))

    @classmethod
    def fitted(cls, network: Network, features: Tensor, labels: Tensor) -> Self:
        """Return a classifier fitted to features `(clips, features)` and digits `(clips,)` of training clips."""
        if network.novelty_is_odds:
            return cls(network, None)
        distance = MahalanobisDistance.fitted(features, labels)
        classifier = cls(network, distance)
        with torch.no_grad():
            scores = _scores(distance, features, network.classify(features))
        classifier.centre = scores.mean(dim=0)
        classifier.spread = scores.std(dim=0).clamp(min=_MIN_SPREAD)
        return classifier

    def forward(self, inputs: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return logits `(batch, 10)` and novelty `(batch,)` of inputs and their lengths (see `Network.embed`)."""
        return self.classify_features(self.network.embed(inputs, lengths))

    def classify_features(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits `(batch, 10)` and novelty `(batch,)` of features `(batch, features)`."""
        logits: Tensor = self.network.classify(features)
        if self.distance is None:
            return logits, 1 / logits.softmax(dim=1).amax(dim=1) - 1
        return logits, ((_scores(self.distance, features, logits) - self.centre) / self.spread).sum(dim=1)


def _scores(distance: MahalanobisDistance, features: Tensor, logits: Tensor) -> Tensor:
    """Return distance and energy, `(batch, 2)`."""
    return torch.stack([distance(features), -logits.logsumexp(dim=1)], dim=1)

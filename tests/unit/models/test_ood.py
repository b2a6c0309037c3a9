"""Novelty: that it is the formula, that training clips are the measure, and that what is far away scores high."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor, nn

from audiomnist.models.common.base import Network
from audiomnist.models.common.ood import MahalanobisDistance, OodClassifier

COMPONENTS = 32
TOLERANCE = 1e-4


class Given(Network):
    """A network whose inputs are features already."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.classify = nn.Linear(features, 10)

    def embed(self, inputs: Tensor, lengths: Tensor | None) -> Tensor:
        """Return the inputs."""
        del lengths
        return inputs


def clouds(
    features: int, clips: int = 400, digits: tuple[int, ...] = tuple(range(10)), seed: int = 0
) -> tuple[Tensor, Tensor]:
    """Return features of clips about a mean for each digit, wide in some directions and narrow in others."""
    draw = np.random.default_rng(seed)
    labels = np.resize(digits, clips)
    widths = np.geomspace(3, 0.1, features)
    turned, _ = np.linalg.qr(draw.normal(size=(features, features)))
    means = draw.normal(0, 3, (10, features))
    points = means[labels] + (draw.normal(size=(clips, features)) * widths) @ turned
    return torch.from_numpy(points.astype(np.float32)), torch.from_numpy(labels)


def fitted_classifier(features: Tensor, labels: Tensor) -> OodClassifier:
    """Return a classifier of random weights, fitted to these training clips."""
    torch.manual_seed(0)
    return OodClassifier.fitted(Given(features.shape[1]), features, labels).eval()


def covariance(features: NDArray[np.float64], labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the covariance about the digits' means in full: shrunk half-way, then of principal components."""
    residuals = features.copy()
    for digit in np.unique(labels):
        residuals[labels == digit] -= features[labels == digit].mean(axis=0)
    own = residuals.T @ residuals / len(residuals)
    size = len(own)
    shrunk = 0.5 * own + 0.5 * np.trace(own) / size * np.eye(size)
    variances, directions = np.linalg.eigh(shrunk)
    dropped = size - min(COMPONENTS, size // 2)
    variances[:dropped] = variances[:dropped].mean()
    return np.asarray((directions * variances) @ directions.T)


def distances(
    features: NDArray[np.float64], labels: NDArray[np.int64], asked: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return Mahalanobis's distance of each clip that is asked about from the nearest digit's mean."""
    deviations = features.std(axis=0, ddof=1)
    known = features / deviations
    inverse = np.linalg.inv(covariance(known, labels))
    means = [known[labels == digit].mean(axis=0) for digit in np.unique(labels)]
    offsets = (asked / deviations)[:, None, :] - np.stack(means)
    return np.asarray(np.sqrt(np.einsum("cdf,fg,cdg->cd", offsets, inverse, offsets, optimize=True)).min(axis=1))


def energies(network: Network, asked: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return -log sum exp of the logits."""
    weight, bias = (parameter.detach().double().numpy() for parameter in network.classify.parameters())
    return np.asarray(-np.logaddexp.reduce(asked @ weight.T + bias, axis=1))


def exact_novelty(classifier: OodClassifier, features: Tensor, labels: Tensor, asked: Tensor) -> NDArray[np.float64]:
    """Return the formula's novelty: both parts, each in deviations from its mean over the training clips."""
    known, digits, new = features.double().numpy(), labels.numpy(), asked.double().numpy()
    total = np.zeros(len(new))
    for of_known, of_new in (
        (distances(known, digits, known), distances(known, digits, new)),
        (energies(classifier.network, known), energies(classifier.network, new)),
    ):
        total += (of_new - of_known.mean()) / of_known.std(ddof=1)
    return total


@settings(deadline=None, max_examples=25)
@given(features=st.sampled_from([2, 3, 12, 47, 200]), seed=st.integers(0, 1000), scale=st.floats(0.01, 30))
def test_novelty_is_the_formula(features: int, seed: int, scale: float) -> None:
    """With few features and with more than the components that are kept; for clips near and far."""
    known, labels = clouds(features, seed=seed)
    classifier = fitted_classifier(known, labels)
    asked = torch.cat([known[:20], scale * clouds(features, 30, seed=seed + 1)[0]])
    logits, novelty = classifier.classify_features(asked)
    expected = exact_novelty(classifier, known, labels, asked)
    np.testing.assert_allclose(novelty.detach(), expected, rtol=TOLERANCE, atol=TOLERANCE)
    assert torch.equal(logits, classifier.network.classify(asked))


@pytest.mark.parametrize("features", [2, 30, 200])
def test_of_training_clips_novelty_has_mean_0_and_each_part_deviation_1(features: int) -> None:
    """They are the measure."""
    known, labels = clouds(features)
    classifier = fitted_classifier(known, labels)
    with torch.inference_mode():
        logits, novelty = classifier.classify_features(known)
        assert classifier.distance is not None
        distance = classifier.distance(known)
    assert float(novelty.mean()) == pytest.approx(0, abs=1e-3)
    parts = torch.stack([distance, -logits.logsumexp(dim=1)], dim=1)
    np.testing.assert_allclose(((parts - classifier.centre) / classifier.spread).std(dim=0), 1, atol=1e-3)


@pytest.mark.parametrize("features", [12, 200])
def test_what_is_far_from_every_digit_is_stranger_the_farther_it_is(features: int) -> None:
    """A clip at a digit's mean is the least strange in distance, and distance grows in proportion."""
    known, labels = clouds(features)
    distance = MahalanobisDistance.fitted(known, labels)
    direction = torch.nn.functional.normalize(torch.randn(features, generator=torch.Generator().manual_seed(2)), dim=0)
    mean = known[labels == 4].mean(dim=0)
    at_mean, *far = distance(mean + torch.tensor([0.0, 1e3, 2e3, 4e3]).unsqueeze(1) * direction).tolist()
    assert at_mean == pytest.approx(0, abs=1e-3)
    assert far[1] == pytest.approx(2 * far[0], rel=0.05)
    assert far[2] == pytest.approx(2 * far[1], rel=0.05)


def test_features_that_no_training_clip_has_score_higher_than_those_of_new_clips() -> None:
    """Noise of the same spread as the training clips about no digit's mean."""
    known, labels = clouds(60)
    classifier = fitted_classifier(known, labels)
    new, _ = clouds(60, 200)
    elsewhere = known.mean(dim=0) + known.std(dim=0) * torch.randn(200, 60, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        familiar, other = classifier.classify_features(new)[1], classifier.classify_features(elsewhere)[1]
    assert other.quantile(0.05) > familiar.quantile(0.95)


def test_a_digit_that_does_not_occur_is_no_trouble() -> None:
    """The nearest of those that do is the measure."""
    known, labels = clouds(24, digits=(0, 3, 9))
    classifier = fitted_classifier(known, labels)
    absent = clouds(24, digits=(5,))[0]
    with torch.inference_mode():
        novelty = classifier.classify_features(torch.cat([known, absent]))[1]
    expected = exact_novelty(classifier, known, labels, torch.cat([known, absent]))
    np.testing.assert_allclose(novelty, expected, rtol=TOLERANCE, atol=TOLERANCE)
    assert novelty[: len(known)].mean() + 2 < novelty[len(known) :].mean()


def test_clips_of_a_digit_that_are_all_alike_make_no_measure_of_rounding() -> None:
    """Where no feature varies within a digit, novelty is finite, and a last bit changes it little."""
    labels = torch.arange(20) % 10
    known = torch.randn(10, 8, generator=torch.Generator().manual_seed(0))[labels]
    classifier = fitted_classifier(known, labels)
    with torch.inference_mode():
        exact, rounded, far = (
            classifier.classify_features(asked)[1] for asked in (known, known * (1 + 2e-7), known + 1e3)
        )
    assert far.isfinite().all()
    assert (far > exact + 10).all()
    np.testing.assert_allclose(rounded, exact, atol=1e-3)


def test_the_output_is_the_networks_own_answer() -> None:
    """Logits and novelty are those of the features that the network finds."""
    known, labels = clouds(12)
    classifier = fitted_classifier(known, labels)
    asked, lengths = clouds(12, 7, seed=5)[0], torch.ones(7, dtype=torch.int64)
    with torch.inference_mode():
        logits, novelty = classifier(asked, lengths)
        assert torch.equal(logits, classifier.network(asked, lengths))
        assert torch.equal(novelty, classifier.classify_features(asked)[1])
    assert (logits.shape, novelty.shape, novelty.dtype) == ((7, 10), (7,), torch.float32)


def test_novelty_depends_on_no_other_clip() -> None:
    """Alone or in a batch."""
    known, labels = clouds(24)
    classifier = fitted_classifier(known, labels)
    with torch.inference_mode():
        together = classifier.classify_features(known[:16])[1]
        alone = torch.cat([classifier.classify_features(known[row : row + 1])[1] for row in range(16)])
    np.testing.assert_allclose(together, alone, atol=1e-4)


def test_what_was_learned_travels_with_the_weights() -> None:
    """Means, covariance, centre and spread are buffers: loaded into another classifier, they give its answers."""
    first, other = (fitted_classifier(*clouds(12, seed=seed)) for seed in (0, 1))
    asked = clouds(12, 9, seed=2)[0]
    with torch.inference_mode():
        assert not torch.equal(first.classify_features(asked)[1], other.classify_features(asked)[1])
        other.load_state_dict(first.state_dict())
        assert torch.equal(first.classify_features(asked)[1], other.classify_features(asked)[1])

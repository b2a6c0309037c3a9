"""Calibration: that temperature finds what is known, that novelty has its scale, and what certainty is left then."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from audiomnist.evaluation.metrics import expected_calibration_error
from audiomnist.serving.bundle.description import Calibration, Description
from audiomnist.serving.model import Model, Predictions
from audiomnist.training import calibration
from audiomnist.training.calibration import calibrate, temperature
from audiomnist.training.cross_validation import Outputs

SCALE = Calibration(temperature=1.5, ood_median=-1.0, ood_p95=3.0)
HISTOGRAM = {"edges": [0.5], "shares": [0.5, 0.5]}
CONTENT: dict[str, Any] = {
    "model": "lstm",
    "input": {"kind": "transcript", "recognizer": {}},
    "dataset": {"name": "tones", "version": "1"},
    "split": {},
    "parameters": {},
    "reference": {"labels": [0.1] * 10, "confidence": HISTOGRAM, "duration_s": HISTOGRAM},
    "graph_sha256": "0" * 64,
}


@dataclass
class Graph:
    """A graph that has its answers already, a batch after the other."""

    outputs: dict[str, NDArray[np.float32]]
    asked: int = 0

    def run(self, names: Sequence[str], feeds: dict[str, Any]) -> list[NDArray[np.float32]]:
        """Return the next outputs of these names."""
        start = self.asked
        self.asked += len(feeds["inputs"])
        return [self.outputs[name][start : self.asked] for name in names]


def served(given: Outputs, how: Calibration) -> Predictions:
    """Return what the scorer makes of a graph's answers."""
    description = Description.model_validate(CONTENT | {"calibration": how})
    graph = Graph({"logits": given.logits.float().numpy(), "novelty": given.novelty.float().numpy()})
    return Model(Path(), description, "", graph).predict_texts([["one"]] * len(given.labels))


def at(novelty: Sequence[float] | Tensor, logits: Tensor, labels: Tensor | None = None) -> Outputs:
    """Return answers of this novelty."""
    novelties = torch.as_tensor(novelty, dtype=torch.float32)
    return Outputs(logits, novelties, labels if labels is not None else torch.zeros(len(logits), dtype=torch.int64))


def calibrated(clips: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Return logits `(clips, 10)` and labels drawn from the probabilities that they stand for."""
    draw = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(clips, 10, generator=draw)
    labels = torch.multinomial(logits.softmax(dim=1), 1, generator=draw).flatten()
    return logits, labels


@pytest.mark.parametrize("known", [0.5, 1.0, 2.5, 8.0])
def test_a_known_temperature_is_found(known: float) -> None:
    """Logits that were multiplied by it are divided by it again."""
    logits, labels = calibrated(20_000)
    assert temperature(known * logits, labels) == pytest.approx(known, rel=0.03)


@pytest.mark.parametrize("margin", [5.0, 10.0, 30.0])
@pytest.mark.parametrize("clips", [30, 240])
def test_a_faultless_validation_part_gives_a_finite_temperature(clips: int, margin: float) -> None:
    """A label counts as (n + 1) / (n + 2) certain, and that is the confidence which comes out."""
    labels = torch.arange(clips) % 10
    logits = margin * functional.one_hot(labels, 10).float()
    found = temperature(logits, labels)
    assert 0.051 < found < 19.9
    confidence = (logits / found).softmax(dim=1).amax(dim=1)
    assert confidence.numpy() == pytest.approx((clips + 1) / (clips + 2), abs=1e-4)


def test_the_temperature_stays_within_its_bounds() -> None:
    """Labels that contradict the logits ask for an infinite temperature, and get the highest."""
    logits, _ = calibrated(200)
    assert temperature(logits, logits.argmin(dim=1)) == pytest.approx(20, rel=0.01)
    labels = logits.argmax(dim=1)
    assert temperature(1e-4 * logits, labels) == pytest.approx(0.05, rel=0.01)


@settings(deadline=None, max_examples=25)
@given(scale=st.floats(0.2, 5), seed=st.integers(0, 1000))
def test_the_temperature_is_no_worse_than_none(scale: float, seed: int) -> None:
    """The smoothed loss at the temperature found is at most that at 1."""
    logits, labels = calibrated(100, seed)
    logits = (scale * logits).double()
    found = temperature(logits, labels)
    smoothing = 10 / 9 / 102

    def loss(divisor: float) -> float:
        return float(functional.cross_entropy(logits / divisor, labels, label_smoothing=smoothing))

    assert 0.05 <= found <= 20
    assert np.isfinite(found)
    assert loss(found) <= loss(1.0) + 1e-9


def novelties(clips: int, seed: int = 0) -> Tensor:
    """Return skewed novelties, as those of new voices are."""
    return torch.from_numpy(np.random.default_rng(seed).gamma(2, 3, clips).astype(np.float32)) - 4


@pytest.mark.parametrize("clips", [2, 3, 21, 1000])
def test_the_median_of_new_voices_scores_0_and_their_95th_percentile_1(clips: int) -> None:
    """So that `ood_score` is above 1 for one in twenty of them."""
    novelty = novelties(clips)
    found = calibrate(at(novelty, *calibrated(clips)))
    marks = np.quantile(novelty.double().numpy(), [0.5, 0.95])
    scores = served(at(marks.tolist(), torch.zeros(2, 10)), found).ood_scores
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, [0, 1], atol=1e-5)
    own = served(at(novelty, torch.zeros(clips, 10)), found).ood_scores
    assert (own > 1 + 1e-5).sum() == np.ceil(0.05 * (clips - 1))


@pytest.mark.parametrize("clips", [1, 40])
def test_clips_that_are_all_equally_strange_leave_a_scale(clips: int) -> None:
    """A single clip, or many of the same novelty, score 0; there is no division by nothing."""
    answers = at([2.0] * clips, *calibrated(clips))
    found = calibrate(answers)
    assert 0.05 <= found.temperature <= 20
    assert (served(answers, found).ood_scores == 0).all()


def test_confidence_is_that_of_the_temperature_up_to_the_mark_and_fades_in_proportion_beyond() -> None:
    """At twice the distance from the typical the logits count half."""
    logits = torch.tensor([[4.0, 1.0, *[0.0] * 8]]).repeat(6, 1)
    found = served(at([-100, -1, 3, 7, 15, 1e9], logits), SCALE)
    divisors = SCALE.temperature * np.array([1, 1, 1, 2, 4, 2.5e8])
    expected = (logits[0].double() / torch.from_numpy(divisors).unsqueeze(1)).softmax(dim=1).numpy()
    np.testing.assert_allclose(found.probabilities, expected, rtol=1e-5)
    np.testing.assert_allclose(found.ood_scores, [-24.75, 0, 1, 2, 4, 2.5e8], rtol=1e-6)


@settings(deadline=None, max_examples=50)
@given(
    logits=st.lists(st.floats(-20, 20, width=32), min_size=10, max_size=10),
    scores=st.lists(st.floats(1, 1e4, width=32), min_size=2, max_size=8).map(sorted),
)
def test_the_stranger_a_clip_the_less_certain_its_label_and_the_label_stays(
    logits: list[float], scores: list[float]
) -> None:
    """Confidence never rises with novelty; the order of the digits is that of the logits."""
    rows = torch.tensor([logits] * len(scores))
    novelty = [SCALE.ood_median + score * (SCALE.ood_p95 - SCALE.ood_median) for score in scores]
    found = served(at(novelty, rows), SCALE).probabilities
    confidence = found.max(axis=1)
    assert (np.diff(confidence) <= 1e-6).all()
    assert (confidence >= 0.1 - 1e-6).all()
    assert found[:, int(np.argmax(logits))] == pytest.approx(confidence)


def test_confidence_falls_strictly_with_novelty() -> None:
    """Where one digit leads."""
    logits = torch.tensor([[5.0, *[0.0] * 9]]).repeat(9, 1)
    confidence = served(at([3.0 * 2**step for step in range(9)], logits), SCALE).probabilities.max(axis=1)
    assert (np.diff(confidence) < -1e-4).all()


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 1000))
def test_training_and_service_agree_on_confidence(seed: int) -> None:
    """The reference in a bundle is of the confidence that the scorer gives."""
    logits, labels = calibrated(50, seed)
    given_answers = at(novelties(50, seed), 3 * logits, labels)
    own = calibration.confidence(given_answers, SCALE)
    np.testing.assert_allclose(own, served(given_answers, SCALE).probabilities.max(axis=1), atol=1e-6)


@pytest.mark.parametrize("known", [0.5, 2.5])
def test_the_temperature_is_that_of_the_faded_logits(known: float) -> None:
    """Logits that were multiplied by it, and by how strange their clip is, are divided by it again.

    One clip in 25 is so strange that its logits would else outweigh all others.
    """
    logits, labels = calibrated(20_000)
    novelty = novelties(len(logits))
    novelty = torch.where(novelty > novelty.quantile(0.96), 50 * novelty, novelty)
    median, p95 = np.quantile(novelty.double().numpy(), [0.5, 0.95])
    fading = ((novelty - median) / (p95 - median)).clamp(min=1).unsqueeze(1).float()
    found = calibrate(at(novelty, known * fading * logits, labels))
    assert found.temperature == pytest.approx(known, rel=0.03)
    assert found.ood_median == pytest.approx(median)
    assert found.ood_p95 == pytest.approx(p95)


def test_calibration_takes_over_confidence_away() -> None:
    """Of voices whose logits are three times too large, and more so with higher novelty: evaluated on other clips."""
    logits, labels = calibrated(40_000)
    novelty = novelties(len(logits))
    fading = ((novelty - 1) / 8).clamp(min=1).unsqueeze(1)
    over_confident = at(novelty, 3 * fading * logits, labels)
    halves = [Outputs(*(part[half::2] for part in over_confident)) for half in (0, 1)]
    found = calibrate(halves[0])
    right = (halves[1].logits.argmax(dim=1) == halves[1].labels).numpy()
    before = expected_calibration_error(halves[1].logits.double().softmax(dim=1).numpy(), right)
    after = expected_calibration_error(served(halves[1], found).probabilities.astype(np.float64), right)
    assert before > 0.1
    assert after < before / 5


def test_familiar_voices_bear_on_the_temperature_and_not_on_the_scale_of_novelty() -> None:
    """Median and 95th percentile of novelty are those of unseen speakers alone."""
    logits, labels = calibrated(2000)
    new = at(novelties(2000), 2 * logits, labels)
    familiar = at(novelties(300, seed=1) - 50, logits[:300], labels[:300])
    alone, both = calibrate(new), calibrate(new, familiar)
    assert (both.ood_median, both.ood_p95) == (alone.ood_median, alone.ood_p95)
    assert both.temperature != alone.temperature


@pytest.mark.parametrize("clips", [500, 20_000])
def test_voices_of_both_kinds_have_half_of_the_weight_however_many_there_are(clips: int) -> None:
    """New voices ask for a temperature of 1, familiar ones for 4: it lies between, where as many clips of each put it.

    The 20,000 clips of familiar voices here say the same as 500 of them.
    """
    logits, labels = calibrated(500)
    times = clips // 500
    new = at(torch.zeros(500), logits, labels)
    familiar = at(torch.zeros(clips), 4 * logits.repeat(times, 1), labels.repeat(times))
    found = calibrate(new, familiar).temperature
    assert 1.2 < found < 3.5
    assert found == pytest.approx(calibrate(new, at(torch.zeros(500), 4 * logits, labels)).temperature, rel=0.02)


def test_familiar_clips_that_are_strange_are_faded_by_the_scale_of_the_new_ones() -> None:
    """Their certainty counts as it will be in service."""
    logits, labels = calibrated(20_000)
    novelty = novelties(len(logits))
    median, p95 = np.quantile(novelty.double().numpy(), [0.5, 0.95])
    odd = 3 * novelty
    fading = [((some - median) / (p95 - median)).clamp(min=1).unsqueeze(1).float() for some in (novelty, odd)]
    new, familiar = (at(some, 2.5 * fade * logits, labels) for some, fade in zip((novelty, odd), fading, strict=True))
    assert calibrate(new, familiar).temperature == pytest.approx(2.5, rel=0.03)


def test_weights_that_are_all_alike_change_no_temperature() -> None:
    """Nor does a clip that weighs nothing, but for what it adds to the number of clips."""
    logits, labels = calibrated(1000)
    alike = torch.full((1000,), 1 / 1000)
    assert temperature(3 * logits, labels, alike) == pytest.approx(temperature(3 * logits, labels), rel=1e-4)
    padded = torch.cat([logits, 100 * torch.eye(10).repeat(10, 1)])
    wrong = torch.cat([labels, torch.arange(1, 101) % 10])
    weights = torch.cat([alike, torch.zeros(100)])
    assert temperature(3 * padded, wrong, weights) == pytest.approx(temperature(3 * logits, labels), rel=1e-2)

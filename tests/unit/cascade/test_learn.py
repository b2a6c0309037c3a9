"""The rule of a cascade: when it asks, how it fuses, and what is learnt of simulated answers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from audiomnist.cascade.learn import best_threshold, fit_weights, learn
from audiomnist.cascade.params import CascadeParams
from audiomnist.serving.bundle.description import Rule
from audiomnist.serving.fusion import asked, combined, fused
from audiomnist.serving.model import Predictions, softmax

SEEDS = st.integers(0, 2**32 - 1)
THRESHOLDS = st.floats(0, 1.5)
CLIPS = 300


def simulated(seed: int, skill: float = 3.0, clips: int = CLIPS) -> tuple[Predictions, NDArray[np.int64]]:
    """Return the predictions of a model, the more often right the greater its skill, and the digits."""
    draw = np.random.default_rng(seed)
    digits = draw.integers(10, size=clips)
    logits = draw.normal(size=(clips, 10))
    logits[np.arange(clips), digits] += skill
    return Predictions(softmax(logits.astype(np.float32)), draw.normal(size=clips).astype(np.float32)), digits


def pair(seed: int, skills: tuple[float, float] = (3.0, 4.0)) -> tuple[Predictions, Predictions, NDArray[np.int64]]:
    """Return the predictions of two models for the same clips."""
    first, digits = simulated(seed, skills[0])
    draw = np.random.default_rng([seed, 1])
    logits = draw.normal(size=(CLIPS, 10))
    logits[np.arange(CLIPS), digits] += skills[1]
    return first, Predictions(softmax(logits.astype(np.float32)), draw.normal(size=CLIPS).astype(np.float32)), digits


def rule(threshold: float, first_weight: float = 0.4, temperature: float = 0.9) -> Rule:
    """Return a rule."""
    return Rule(weights=(first_weight, 1 - first_weight), temperature=temperature, threshold=threshold)


@given(seed=SEEDS, weight=st.floats(0, 1), temperature=st.floats(0.05, 20), threshold=THRESHOLDS)
def test_probabilities_sum_to_1(seed: int, weight: float, temperature: float, threshold: float) -> None:
    """Those of the first model alone and those of both."""
    first, second, _ = pair(seed)
    predictions, doubtful = combined(first, second, rule(threshold, weight, temperature))
    np.testing.assert_allclose(predictions.probabilities.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(predictions.probabilities[~doubtful], first.probabilities[~doubtful])
    np.testing.assert_array_equal(predictions.ood_scores[doubtful], second.ood_scores[doubtful])


@given(seed=SEEDS, threshold=st.floats(1, 9, exclude_min=True))
def test_a_threshold_of_0_asks_about_strange_sounds_alone_and_one_above_1_about_all(
    seed: int, threshold: float
) -> None:
    """What is as sure as the threshold is not asked about."""
    first, _ = simulated(seed)
    np.testing.assert_array_equal(asked(first, 0), first.ood_scores > 1)
    assert asked(first, threshold).all()
    usual = Predictions(first.probabilities, np.zeros(CLIPS, dtype=np.float32))
    assert not asked(usual, float(first.probabilities.max(axis=1).min())).any()


@given(seed=SEEDS, number=st.integers(0, CLIPS - 1), threshold=THRESHOLDS)
def test_the_answer_for_a_clip_does_not_depend_on_the_others(seed: int, number: int, threshold: float) -> None:
    """To the bit."""
    first, second, _ = pair(seed)
    together, doubtful = combined(first, second, rule(threshold))
    alone, also = combined(first.at(number), second.at(number), rule(threshold))
    np.testing.assert_array_equal(alone.probabilities[0], together.probabilities[number])
    assert doubtful[number] == also[0]


def test_a_sound_that_is_strange_to_the_second_model_is_less_certain() -> None:
    """Its logits are divided by its `ood_score`; the label stays."""
    first, second, _ = pair(0)
    usual, strange = (
        fused(first, Predictions(second.probabilities, np.full(CLIPS, score, dtype=np.float32)), rule(2))
        for score in (1, 4)
    )
    np.testing.assert_array_equal(usual.probabilities.argmax(axis=1), strange.probabilities.argmax(axis=1))
    expected = softmax((np.log(usual.probabilities) / 4).astype(np.float32))
    np.testing.assert_allclose(strange.probabilities, expected, rtol=1e-4)


@pytest.mark.parametrize(("first_weight", "temperature"), [(0.5, 1.0), (0.3, 0.7), (0.8, 1.6)])
def test_the_weights_of_simulated_answers_are_recovered(first_weight: float, temperature: float) -> None:
    """Digits are drawn from the fused probabilities of a known rule."""
    draw = np.random.default_rng(7)
    first, second = (
        Predictions(softmax(draw.normal(0, 2, (20_000, 10)).astype(np.float32)), np.zeros(20_000, dtype=np.float32))
        for _ in range(2)
    )
    probabilities = fused(first, second, rule(2, first_weight, temperature)).probabilities.astype(float)
    digits = (probabilities.cumsum(axis=1) < draw.random((20_000, 1))).sum(axis=1).clip(0, 9)
    found = fit_weights(first, second, digits)
    assert found.weights[0] == pytest.approx(first_weight, abs=0.03)
    assert found.temperature == pytest.approx(temperature, rel=0.05)


def test_models_without_an_error_have_finite_weights() -> None:
    """All clips are right."""
    digits = np.arange(100) % 10
    sure = Predictions(np.eye(10, dtype=np.float32)[digits], np.zeros(100, dtype=np.float32))
    found = learn(sure, sure, digits, CascadeParams(cost_of_asking=0.01))
    assert found.temperature >= 0.025
    assert found.threshold == 0


@given(seed=SEEDS, cost=st.floats(0, 0.2))
def test_the_learnt_threshold_has_the_least_errors_and_costs(seed: int, cost: float) -> None:
    """Compared with each threshold that parts the clips in another way."""
    first, second, digits = pair(seed, (1.5, 3.0))

    def loss(threshold: float) -> float:
        predictions, doubtful = combined(first, second, found.model_copy(update={"threshold": threshold}))
        return float((predictions.probabilities.argmax(axis=1) != digits).mean() + cost * doubtful.mean())

    found = learn(first, second, digits, CascadeParams(cost_of_asking=cost))
    thresholds = [0, *first.probabilities.max(axis=1).tolist(), 2]
    assert loss(found.threshold) <= min(map(loss, thresholds)) + 1e-9


def test_a_given_threshold_is_kept() -> None:
    """The weights are learnt all the same."""
    first, second, digits = pair(3)
    learnt = learn(first, second, digits, CascadeParams(cost_of_asking=0.02))
    given_ = learn(first, second, digits, CascadeParams(threshold=0.5, cost_of_asking=0.02))
    assert given_ == learnt.model_copy(update={"threshold": 0.5})


def test_where_asking_costs_too_much_nothing_is_asked_and_where_it_is_free_all_that_errs() -> None:
    """The first model errs below 0.5."""
    confidence = np.linspace(0.2, 1, 41, dtype=np.float32)
    gain = np.where(confidence < 0.5, 1.0, 0.0)
    assert best_threshold(confidence, gain - 2) == 0
    assert 0.48 < best_threshold(confidence, gain) < 0.5
    assert best_threshold(confidence, gain + 0.1) > 1
    assert best_threshold(np.empty(0, dtype=np.float32), np.empty(0)) == 0

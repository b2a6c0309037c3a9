"""The bootstrap over clips within groups: what holds whatever the models get right, and what theory says of it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from audiomnist.evaluation.metrics import percentile_interval, resampled_accuracies

Groups = list[NDArray[np.bool_]]
RESAMPLES = 2000
SEEDS = st.integers(0, 2**32 - 1)


@st.composite
def groups(draw: st.DrawFn) -> Groups:
    """Draw what up to four models get right of one to five groups of clips."""
    models = draw(st.integers(1, 4))
    clips = draw(st.lists(st.integers(1, 60), min_size=1, max_size=5))
    rng = np.random.default_rng(draw(SEEDS))
    return [rng.random((count, models)) < rng.random(models) for count in clips]


def deviation_of_mean(right: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Return the standard deviation that theory gives the resampled mean over groups: of each column's."""
    variances = [group.var(axis=0) / len(group) for group in right]
    return np.asarray(np.sqrt(np.sum(variances, axis=0)) / len(right))


@settings(max_examples=50)
@given(right=groups(), seed=SEEDS)
def test_resamples_lie_about_what_was_measured(right: Groups, seed: int) -> None:
    """They are shares, with the mean over groups of the accuracies for mean, to within six standard errors."""
    resampled = resampled_accuracies(right, RESAMPLES, seed)
    assert resampled.shape == (RESAMPLES, right[0].shape[1])
    assert resampled.min() >= 0
    assert resampled.max() <= 1
    measured = np.mean([group.mean(axis=0) for group in right], axis=0)
    error = deviation_of_mean([group.astype(float) for group in right]) / np.sqrt(RESAMPLES)
    assert (np.abs(resampled.mean(axis=0) - measured) <= 6 * error + 1e-9).all()


@settings(max_examples=50)
@given(right=groups(), seed=SEEDS)
def test_resamples_spread_as_theory_says(right: Groups, seed: int) -> None:
    """Of each model, and of the difference of two: the same clips are drawn for both."""
    resampled = resampled_accuracies(right, RESAMPLES, seed)
    both = np.column_stack([resampled, resampled[:, 0] - resampled[:, -1]])
    measured = [np.column_stack([group, group[:, 0].astype(float) - group[:, -1]]) for group in right]
    assert both.std(axis=0) == pytest.approx(deviation_of_mean(measured), rel=0.2, abs=1e-9)


@given(right=groups(), seed=SEEDS, other=SEEDS)
def test_what_is_drawn_for_a_model_does_not_depend_on_the_others(right: Groups, seed: int, other: int) -> None:
    """The same seed gives it the same resamples, whatever models stand beside it."""
    rng = np.random.default_rng(other)
    beside = [np.column_stack([group, rng.random(len(group)) < rng.random()]) for group in right]
    assert (resampled_accuracies(right, 100, seed) == resampled_accuracies(beside, 100, seed)[:, :-1]).all()


@given(clips=st.lists(st.integers(1, 60), min_size=1, max_size=5), seed=SEEDS)
def test_there_is_no_doubt_where_every_clip_is_right_or_none(clips: list[int], seed: int) -> None:
    """A resample of equal clips is the same again."""
    right = [np.tile([True, False], (count, 1)) for count in clips]
    assert resampled_accuracies(right, 100, seed) == pytest.approx(np.tile([1.0, 0.0], (100, 1)))


@given(right=groups(), seed=SEEDS)
def test_models_that_are_right_alike_are_resampled_alike(right: Groups, seed: int) -> None:
    """Their difference is nought in every resample."""
    twins = [np.column_stack([group[:, 0], group]) for group in right]
    resampled = resampled_accuracies(twins, 100, seed)
    assert (resampled[:, 0] == resampled[:, 1]).all()


def test_resamples_of_a_model_are_binomial() -> None:
    """As many clips are right as in drawing with replacement; the quantiles agree to within the chance of either."""
    rng = np.random.default_rng(0)
    right = [rng.random((count, 2)) < (0.9, 0.7) for count in (50, 200)]
    resampled = resampled_accuracies(right, 20_000, seed=1)
    drawn = [rng.binomial(len(group), group.mean(axis=0), (20_000, 2)) / len(group) for group in right]
    quantiles = [0.025, 0.25, 0.5, 0.75, 0.975]
    expected = np.quantile(np.mean(drawn, axis=0), quantiles, axis=0)
    assert np.quantile(resampled, quantiles, axis=0) == pytest.approx(expected, abs=0.003)


def test_the_interval_holds_the_truth_as_often_as_it_claims() -> None:
    """Of 400 models that are right with known probabilities, about 95% have the mean of these in their interval."""
    rng = np.random.default_rng(0)
    truths = np.array([0.95, 0.9, 0.8])
    held = 0
    for _ in range(400):
        right = [rng.random((200, 1)) < truth for truth in truths]
        low, high = percentile_interval(resampled_accuracies(right, 400, seed=int(rng.integers(2**32))))
        held += low <= truths.mean() <= high
    assert 0.92 <= held / 400 <= 0.98


@given(values=st.lists(st.floats(-1, 1), min_size=1, max_size=200))
def test_an_interval_leaves_a_fortieth_out_on_either_side(values: list[float]) -> None:
    """No more than that lies below it, and no more above; the median lies in it."""
    low, high = percentile_interval(np.array(values))
    assert low <= np.median(values) <= high
    assert sum(value < low for value in values) <= 0.025 * len(values) + 1
    assert sum(value > high for value in values) <= 0.025 * len(values) + 1

"""The index and the histograms: what holds for every reference and every run."""

from math import isfinite

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audiomnist.scoring.drift import psi
from audiomnist.serving.bundle.reference import histogram_of

COUNTS = st.lists(st.integers(0, 10**6), min_size=2, max_size=12)
SAMPLES = st.lists(
    st.one_of(st.floats(-1e6, 1e6), st.sampled_from([0.0, 0.5, 1.0])),  # often equal, as confidences near 1 are
    min_size=1,
    max_size=80,
)


def shares(counts: list[int]) -> list[float]:
    """Return the shares of counts, of which not all are zero."""
    return [count / sum(counts) for count in counts]


@st.composite
def pairs(draw: st.DrawFn) -> tuple[list[float], list[int]]:
    """Draw the shares of a reference and the counts of a run, over the same bins."""
    reference = draw(COUNTS.filter(any))
    run = draw(st.lists(st.integers(0, 10**6), min_size=len(reference), max_size=len(reference)))
    return shares(reference), run


@given(pair=pairs())
def test_the_index_is_finite_and_not_negative(pair: tuple[list[float], list[int]]) -> None:
    """Empty bins included, and runs without files."""
    index = psi(*pair)
    assert isfinite(index)
    assert index >= 0


@given(counts=COUNTS.filter(any), times=st.integers(1, 50))
def test_a_run_with_the_shares_of_the_reference_has_the_index_nought(counts: list[int], times: int) -> None:
    """However many files there are."""
    assert psi(shares(counts), [count * times for count in counts]) == pytest.approx(0, abs=1e-12)


@given(pair=pairs(), data=st.data())
def test_the_order_of_the_bins_does_not_matter(pair: tuple[list[float], list[int]], data: st.DataObject) -> None:
    """The index is a sum over bins."""
    expected, observed = pair
    order = data.draw(st.permutations(range(len(expected))))
    moved = psi([expected[index] for index in order], [observed[index] for index in order])
    assert moved == pytest.approx(psi(expected, observed), abs=1e-9)


@given(files=st.integers(2, 10**6), steps=st.lists(st.floats(0, 1), min_size=2, max_size=2))
def test_the_further_a_run_leans_to_one_bin_the_larger_its_index(files: int, steps: list[float]) -> None:
    """From half and half to all in one bin."""
    half = files - files // 2
    near, far = sorted(half + int(step * (files - half)) for step in steps)
    assert psi([0.5, 0.5], [near, files - near]) <= psi([0.5, 0.5], [far, files - far]) + 1e-12


@given(values=SAMPLES, bins=st.integers(1, 12))
def test_the_shares_are_those_of_the_bins_in_which_the_run_counts(values: list[float], bins: int) -> None:
    """A run over the reference sample itself has no drift: both sides place a value in the same bin."""
    histogram = histogram_of(values, bins)
    counts = [0] * len(histogram.shares)
    for value in values:
        counts[histogram.bin_of(value)] += 1
    assert list(histogram.shares) == pytest.approx(shares(counts))
    assert len(histogram.shares) <= bins


@given(values=st.lists(st.integers(-(10**6), 10**6), min_size=20, max_size=200, unique=True))
def test_bins_of_distinct_values_hold_about_equal_shares(values: list[int]) -> None:
    """Each tenth is right to within one value on either side."""
    histogram = histogram_of(np.array(values, dtype=np.float64))
    assert histogram.shares == pytest.approx((0.1,) * 10, abs=1 / len(values) + 1e-12)

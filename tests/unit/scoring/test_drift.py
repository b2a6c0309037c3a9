"""Drift: known values of the index, values by chance, the levels, and the reference of runs."""

import json
from math import log

import numpy as np
import pytest
from pydantic import ValidationError

from audiomnist.scoring import drift
from audiomnist.scoring.drift import Drift, DriftCounts, Drifts
from audiomnist.serving.bundle.reference import Histogram, Reference, histogram_of

TENTHS = (0.1,) * 10
HALVES = Histogram(edges=(0.5,), shares=(0.5, 0.5))
REFERENCE = Reference(labels=TENTHS, confidence=HALVES, duration_s=Histogram(edges=(2,), shares=(0.5, 0.5)))


def test_the_index_is_that_of_the_formula_where_counts_are_large() -> None:
    """Half a count more or less does not show among a million files."""
    expected, observed = (0.2, 0.3, 0.5), (0.3, 0.3, 0.4)
    by_hand = (0.3 - 0.2) * log(0.3 / 0.2) + (0.4 - 0.5) * log(0.4 / 0.5)
    assert drift.psi(expected, [300_000, 300_000, 400_000]) == pytest.approx(by_hand, rel=1e-4)
    assert drift.psi(observed, [200_000, 300_000, 500_000]) == pytest.approx(by_hand, rel=1e-4)


def test_half_a_count_is_added_to_each_bin_of_both_sides() -> None:
    """4 files where 2 and 2 are expected, all in one bin: 4.5 and 0.5 of 5 against 2.5 and 2.5."""
    assert drift.psi((0.5, 0.5), [4, 0]) == pytest.approx(0.4 * log(9 / 5) - 0.4 * log(1 / 5))


def test_the_same_shares_have_the_index_nought_however_few_the_files() -> None:
    """The smoothing favours no side."""
    assert drift.psi((0.25, 0.75), [1, 3]) == 0
    assert drift.psi((0.25, 0.75, 0), [250, 750, 0]) == 0


def test_bins_that_are_empty_on_one_side_leave_the_index_finite() -> None:
    """Neither a label that never occurs nor one that training lacked makes it infinite."""
    assert 0.25 < drift.psi(TENTHS, [1000, *[0] * 9]) < 100
    assert 0.25 < drift.psi((1, *[0] * 9), [100] * 10) < 100


def test_the_numbers_of_bins_must_agree() -> None:
    """One share is not stretched over three bins."""
    with pytest.raises(ValueError, match="zip"):
        drift.psi((1,), [1, 2, 3])


def test_chance_alone_gives_about_the_bins_less_one_by_the_files() -> None:
    """Samples of the reference itself, as in the docstring of the module."""
    counts = np.random.default_rng(0).multinomial(drift.FEWEST_FILES, TENTHS, size=2000)
    found = np.array([drift.psi(TENTHS, row.tolist()) for row in counts])
    assert found.mean() == pytest.approx(9 / drift.FEWEST_FILES, rel=0.1)
    assert 0.005 < (found >= drift.MODERATE_PSI).mean() < 0.04
    assert (found < drift.MAJOR_PSI).all()


def test_below_200_files_chance_alone_would_too_often_look_like_drift() -> None:
    """Three in ten samples of 100 files reach the threshold."""
    counts = np.random.default_rng(0).multinomial(100, TENTHS, size=2000)
    assert 0.25 < np.mean([drift.psi(TENTHS, row.tolist()) >= drift.MODERATE_PSI for row in counts]) < 0.37


@pytest.mark.parametrize(
    ("observed", "level"),
    [
        ([500, 500], "stable"),
        ([650, 350], "stable"),
        ([660, 340], "moderate"),
        ([735, 265], "moderate"),
        ([740, 260], "major"),
        ([0, 1000], "major"),
        ([199, 0], "too_few"),
        ([100, 99], "too_few"),
        ([100, 100], "stable"),
        ([200, 0], "major"),
    ],
)
def test_the_level_follows_the_thresholds_and_the_number_of_files(observed: list[int], level: str) -> None:
    """Below 0.1, from there on, from 0.25 on; and none below 200 files."""
    found = drift.drift((0.5, 0.5), observed)
    assert found.level == level
    assert found.psi == drift.psi((0.5, 0.5), observed)


def test_a_threshold_belongs_to_the_level_above_it() -> None:
    """Moderate begins at 0.1, major at 0.25."""
    assert [drift.level(index, 200) for index in (0.0999, 0.1, 0.2499, 0.25)] == [
        "stable",
        "moderate",
        "moderate",
        "major",
    ]


def test_a_run_without_files_has_no_index() -> None:
    """Nought would claim that nothing has changed."""
    assert drift.drift((0.5, 0.5), [0, 0]) == Drift(psi=None, level="too_few")


def test_each_quantity_is_counted_against_its_own_reference() -> None:
    """Digits, confidences and durations do not mix; a label that is withheld still counts for the other two."""
    counts = DriftCounts(REFERENCE)
    for index in range(400):
        counts.add(index % 10 if index < 200 else None, 0.9, 1.5 + index % 2)
    found = counts.drifts()
    assert counts.labels == [20] * 10
    assert found == Drifts(
        labels=Drift(psi=0, level="stable"),
        confidence=drift.drift((0.5, 0.5), [0, 400]),
        duration_s=Drift(psi=0, level="stable"),
    )
    assert found.confidence.level == "major"


def test_each_level_is_printed_in_its_colour() -> None:
    """One line per quantity; too few files: the line has the minimum."""
    told = Drifts(
        labels=Drift(psi=0.01234, level="stable"),
        confidence=Drift(psi=1.5, level="major"),
        duration_s=Drift(psi=None, level="too_few"),
    )
    assert list(drift.styled_lines(told)) == [
        ("  labels       0.012  stable", "green"),
        ("  confidence   1.500  major", "bold red"),
        ("  duration         -  fewer than 200 files: not rated", "dim"),
    ]


def test_a_value_on_an_edge_belongs_to_the_bin_above() -> None:
    """The outer bins are open."""
    histogram = Histogram(edges=(1, 2), shares=(0.2, 0.3, 0.5))
    assert [histogram.bin_of(value) for value in (-1e300, 0.999, 1, 1.5, 2, 1e300)] == [0, 0, 1, 1, 2, 2]


def test_the_edges_are_the_deciles_of_the_sample() -> None:
    """Ten bins of equal shares, where values are distinct."""
    histogram = histogram_of(np.arange(1000, dtype=np.float32))
    assert histogram.edges == pytest.approx(np.arange(1, 10) * 99.9)
    assert histogram.shares == pytest.approx(TENTHS)


def test_equal_edges_are_merged() -> None:
    """Nine in ten confidences are 1: one edge is there, and the bin from it on holds them."""
    histogram = histogram_of([*np.linspace(0.5, 0.99, 100), *[1.0] * 900])
    assert histogram.edges[-1] == 1
    assert len(set(histogram.edges)) == len(histogram.edges) < 9
    assert histogram.shares[-1] == pytest.approx(0.9)


def test_a_sample_of_one_value_has_one_edge() -> None:
    """What is lower falls below it."""
    assert histogram_of([3.0, 3.0]) == Histogram(edges=(3,), shares=(0, 1))
    assert histogram_of([3.0], bins=1) == Histogram(edges=(), shares=(1,))


@pytest.mark.parametrize(("values", "bins"), [([], 10), ([1.0, np.nan], 10), ([np.inf], 10), ([1.0], 0)])
def test_no_histogram_is_made_of_nothing_or_of_what_is_no_number(values: list[float], bins: int) -> None:
    """The mistake shows where the reference is made, not in a later run."""
    with pytest.raises(ValueError, match="at least one value"):
        histogram_of(values, bins)


@pytest.mark.parametrize(
    ("altered", "told"),
    [
        ({"edges": [2, 1], "shares": [0.2, 0.3, 0.5]}, "ascend"),
        ({"edges": [1, 1], "shares": [0.2, 0.3, 0.5]}, "ascend"),
        ({"shares": [1.0]}, "1 edges make 2 bins, not 1"),
        ({"shares": [0.2, 0.3, 0.5]}, "1 edges make 2 bins, not 3"),
        ({"shares": [0.5, 0.50001]}, "sum to 1"),
        ({"shares": [-0.5, 1.5]}, "greater than or equal to 0"),
        ({"edges": [float("nan")]}, "finite"),
        ({"shares": [float("inf"), 0]}, "finite"),
        ({"unit": "s"}, "not permitted"),
    ],
)
def test_a_histogram_that_cannot_be_is_refused(altered: dict[str, object], told: str) -> None:
    """Each rule by itself, with a word on what is wrong."""
    with pytest.raises(ValidationError, match=told):
        Histogram.model_validate(HALVES.model_dump() | altered)


@pytest.mark.parametrize("labels", [(1 / 9,) * 9, (1 / 11,) * 11, (0.2,) * 10])
def test_a_reference_has_a_share_for_each_of_ten_digits(labels: tuple[float, ...]) -> None:
    """Neither nine nor eleven, and they sum to 1."""
    with pytest.raises(ValidationError, match="labels"):
        Reference(labels=labels, confidence=HALVES, duration_s=HALVES)


def test_a_reference_comes_back_from_json_as_it_was() -> None:
    """Edges and shares are the same to the last bit, and nothing can be altered."""
    sample = np.random.default_rng(0).gamma(9, 0.05, size=997)
    reference = Reference(labels=TENTHS, confidence=HALVES, duration_s=histogram_of(sample))
    assert Reference.model_validate(json.loads(reference.model_dump_json())) == reference
    with pytest.raises(ValidationError, match="frozen"):
        reference.labels = TENTHS

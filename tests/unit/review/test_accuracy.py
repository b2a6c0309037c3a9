"""The estimated accuracy of a night holds the true one as often as it says, and is as narrow as it can be."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from reviewing import judgement
from scipy.stats import beta, binom

from audiomnist.review import accuracy, sample
from audiomnist.review.accuracy import Estimate, JudgedClip, Stratum, estimate
from audiomnist.review.judgements import NO_DIGIT

JUDGED = 300
NIGHTS = 2000
# A true coverage of 95% falls below this in one of a thousand tests.
LEAST_COVERAGE = binom.ppf(0.001, NIGHTS, 0.95) / NIGHTS
Counts = NDArray[np.int64]
ANSWERS = {(f"{number}.wav", f"content {number}", "m"): (number % 2, 0.9) for number in range(8)}


@dataclass(frozen=True)
class Strata:
    """Strata of a night by confidence: rows, judged rows and expected error rate of each, `(strata,)`."""

    rows: Counts
    judged: Counts
    error: NDArray[np.float64]


def certainty(model: str, error: float, files: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return one less the confidence of each file, descending, and the probability that its label is wrong.

    An overconfident model claims a fifth of its errors; of one whose confidences say nothing all files are alike.
    """
    claimed = error / 5 if model == "overconfident" else error
    doubt = np.sort(np.minimum(np.random.default_rng(0).beta(0.3, 0.3 * (1 / claimed - 1), files), 0.9))[::-1]
    if model == "calibrated":
        return doubt, doubt
    return doubt, np.minimum(5 * doubt, 0.95) if model == "overconfident" else np.full(files, error)


def stratified(model: str, error: float, files: int, *, proportional: bool) -> Strata:
    """Return the strata of `audiomnist review --sample`, or fifths of the night with as many clips each."""
    doubt, wrong = certainty(model, error, files)
    by_confidence = sample._strata((1 - doubt).astype(np.float32), 5)  # noqa: SLF001 - numbers, without a table
    parts = np.array_split(np.arange(files), 5) if proportional else by_confidence
    rows = np.array([len(part) for part in parts])
    judged = np.array(sample.allocation(rows.tolist(), JUDGED))
    return Strata(rows, judged, np.array([wrong[part].mean() for part in parts]))


@cache
def of_counts(strata: tuple[tuple[int, int, int, int], ...]) -> Estimate:
    """Return an estimate; many simulated nights have the same counts."""
    found = estimate([Stratum(*counts) for counts in strata])
    assert found is not None
    return found


def limits(rows: Counts, judged: Counts, wrong: Counts) -> NDArray[np.float64]:
    """Return the interval of each night, `(nights, 2)`; `wrong` is `(nights, strata)`."""
    counts = zip(rows.tolist(), judged.tolist(), judged.tolist(), strict=True)
    fixed = list(counts)
    estimates = [of_counts(tuple((*of, count) for of, count in zip(fixed, row, strict=True))) for row in wrong.tolist()]
    return np.array([(found.low, found.high) for found in estimates])


def coverage(found: NDArray[np.float64], truth: NDArray[np.float64]) -> float:
    """Return in which share of the nights the interval holds the truth."""
    return float(((found[:, 0] <= truth + 1e-9) & (truth <= found[:, 1] + 1e-9)).mean())


def width(found: NDArray[np.float64]) -> float:
    """Return the mean width of intervals."""
    return float((found[:, 1] - found[:, 0]).mean())


def simulated(strata: Strata) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return intervals of stratified samples, of simple random samples of as many clips, and the true accuracies."""
    draw = np.random.default_rng(1)
    files = int(strata.rows.sum())
    errors = draw.binomial(strata.rows, strata.error, size=(NIGHTS, len(strata.rows)))
    all_errors = errors.sum(axis=1, keepdims=True)
    judged = int(strata.judged.sum())
    found = limits(strata.rows, strata.judged, draw.hypergeometric(errors, strata.rows - errors, strata.judged))
    simple = draw.hypergeometric(all_errors, files - all_errors, judged)
    return found, limits(np.array([files]), np.array([judged]), simple), 1 - all_errors[:, 0] / files


class TestNights:
    """Simulated nights whose truth is known, 300 clips judged of each."""

    @pytest.mark.parametrize("proportional", [False, True])
    @pytest.mark.parametrize("files", [500, 3000, 20_000])
    @pytest.mark.parametrize("error", [0.002, 0.01, 0.05, 0.2])
    @pytest.mark.parametrize("model", ["calibrated", "overconfident", "uninformative"])
    def test_the_interval_holds_the_true_accuracy_in_95_of_100_nights(
        self,
        model: str,
        error: float,
        files: int,
        proportional: bool,  # noqa: FBT001
    ) -> None:
        """Whatever the strata; in most of them there is no error."""
        found, simple, truth = simulated(stratified(model, error, files, proportional=proportional))
        assert coverage(found, truth) >= LEAST_COVERAGE
        if proportional:
            assert width(found) <= 1.02 * width(simple)

    def test_it_is_narrower_than_that_of_a_simple_random_sample(self) -> None:
        """Where the errors are in the strata of low confidence, by a fifth or more."""
        found, simple, _ = simulated(stratified("calibrated", 0.2, 20_000, proportional=False))
        assert width(found) < 0.8 * width(simple)


class TestInterval:
    """One sample."""

    @given(st.integers(1, 400), st.floats(0, 1))
    def test_that_of_a_simple_sample_of_a_large_night_is_nearly_clopper_pearsons(
        self, judged: int, share: float
    ) -> None:
        """Never narrower; exact limits are the 2.5% and 97.5% quantiles of two beta distributions."""
        wrong = round(judged * share)
        found = estimate([Stratum(10**9, judged, judged, wrong)])
        assert found is not None
        low = 1 - beta.ppf(0.975, wrong + 1, judged - wrong) if wrong < judged else 0
        high = 1 - beta.ppf(0.025, wrong, judged - wrong + 1) if wrong else 1
        assert found.low == pytest.approx(low, abs=0.3 / (judged + 1))
        assert found.high == pytest.approx(high, abs=0.3 / (judged + 1))

    @given(st.lists(st.tuples(*[st.integers(1, 50)] * 2, *[st.integers(0, 50)] * 2), min_size=1, max_size=5))
    def test_it_holds_the_estimate_and_agrees_with_what_was_seen(self, drawn: list[tuple[int, int, int, int]]) -> None:
        """With any counts, members of a digit or of all."""
        strata = [
            Stratum(judged + more, judged, min(members, judged), min(wrong, members, judged))
            for judged, more, members, wrong in drawn
        ]
        found = estimate(strata)
        if found is None:
            assert not any(stratum.members for stratum in strata)
        else:
            assert 0 <= found.low <= found.accuracy + 1e-12
            assert found.accuracy <= found.high + 1e-12 <= 1 + 1e-9

    def test_a_stratum_counts_as_much_as_it_has_rows(self) -> None:
        """Ten errors in a tenth of the night are one in a hundred."""
        found = estimate([Stratum(9000, 200, 200, 0), Stratum(1000, 100, 100, 10)])
        assert found is not None
        assert found.accuracy == pytest.approx(0.99)
        assert found.judged == 300

    def test_nothing_is_uncertain_in_a_night_that_was_judged_as_a_whole(self) -> None:
        """The limits are the accuracy."""
        found = estimate([Stratum(300, 300, 300, 7), Stratum(20, 20, 20, 20)])
        assert found is not None
        assert found.low == found.accuracy == found.high == pytest.approx(293 / 320)

    def test_errors_that_were_found_are_in_the_night(self) -> None:
        """The upper limit is at most what the other files allow."""
        found = estimate([Stratum(500, 300, 300, 1)])
        assert found is not None
        assert found.high == pytest.approx(0.998)

    def test_right_and_wrong_are_treated_alike(self) -> None:
        """The interval of a model that is always wrong is that of a perfect one, turned around."""
        perfect, hopeless = (estimate([Stratum(9000, 40, 40, wrong)]) for wrong in (0, 40))
        assert perfect is not None
        assert hopeless is not None
        assert (hopeless.accuracy, hopeless.low) == (0, 0)
        assert hopeless.high == pytest.approx(1 - perfect.low)


class TestSample:
    """From judgements and rows to counts."""

    def drawn(self, *labels: str | None, **changes: Any) -> list[Any]:
        """Return judgements of the clips 0, 1, 2 and so on, in a sample."""
        of_sample: dict[str, Any] = {"sample": "a", "stratum": 0, "stratum_rows": 100} | changes
        return [judgement(number, label=label, **of_sample) for number, label in enumerate(labels)]

    def test_no_digit_makes_a_label_wrong(self) -> None:
        """As another digit does."""
        clips = accuracy.judged_sample(self.drawn("0", "1", NO_DIGIT, "0"), ANSWERS)
        assert [clip.is_wrong for clip in clips] == [False, False, True, True]

    def test_clips_outside_of_the_sample_do_not_count(self) -> None:
        """Such as those that were judged because they were uncertain."""
        others = [judgement(5, label="0"), judgement(6, label="1")]
        assert len(accuracy.judged_sample([*self.drawn("0", "1"), *others], ANSWERS)) == 2

    def test_a_later_judgement_corrects_a_clip_of_the_sample(self) -> None:
        """By another person, or outside of the sample; one that was taken back does not count."""
        first = self.drawn("1", "1", "1")
        later = [
            judgement(10, path="0.wav", content_sha256="content 0", label="0", judged_by="bob"),
            judgement(11, path="2.wav", content_sha256="content 2", label=None),
        ]
        clips = accuracy.judged_sample([*first, *later], ANSWERS)
        assert [clip.is_wrong for clip in clips] == [False, False]

    def test_of_two_samples_the_one_with_more_clips_counts(self) -> None:
        """They may have other strata."""
        small = self.drawn("0")
        large = [replace(found, judgement_id=f"b {found.path}", sample="b") for found in self.drawn("1", "1", "1")]
        assert len(accuracy.judged_sample([*small, *large], ANSWERS)) == 3

    def test_withheld_labels_are_neither_right_nor_wrong(self) -> None:
        """But they are rows of their stratum."""
        clips = [JudgedClip(0, 100, label, 0.5, 3) for label in (None, 3, 3, 4)]
        found = accuracy.overall(clips)
        assert found is not None
        assert found.accuracy == pytest.approx(2 / 3)
        assert found.judged == 3

    def test_precision_is_by_label_and_recall_by_what_was_heard(self) -> None:
        """Each weighted by the strata."""
        clips = (
            [JudgedClip(0, 300, 3, 0.9, 3)] * 3 + [JudgedClip(1, 10, 3, 0.4, 4)] * 2 + [JudgedClip(1, 10, 4, 0.4, 4)]
        )
        assert accuracy.by_label(clips)[3].accuracy == pytest.approx(300 / (300 + 2 * 10 / 3))
        assert accuracy.by_digit(clips)[4].accuracy == pytest.approx(1 / 3)
        assert {digit: found.judged for digit, found in accuracy.by_digit(clips).items()} == {3: 3, 4: 3}

    def test_calibration_compares_the_promise_of_a_stratum_with_what_was_measured(self) -> None:
        """The lowest confidence first."""
        clips = [JudgedClip(0, 300, 3, 0.9, 3)] * 3 + [JudgedClip(1, 10, 3, 0.4, 4), JudgedClip(1, 10, 4, 0.6, 4)]
        low, high = accuracy.calibration(clips)
        assert [low.confidence, high.confidence] == pytest.approx([0.5, 0.9])
        assert [low.measured.accuracy, high.measured.accuracy] == [0.5, 1.0]


def test_intervals_of_digits_hold_their_true_accuracy() -> None:
    """A digit has other numbers of judged clips every time."""
    draw = np.random.default_rng(2)
    strata = stratified("calibrated", 0.05, 3000, proportional=False)
    held = []
    for _ in range(400):
        wrong = [draw.random(rows) < error for rows, error in zip(strata.rows, strata.error, strict=True)]
        digits = [draw.integers(0, 10, rows) for rows in strata.rows]
        found = estimate(_of_digit(strata, wrong, digits, draw))
        assert found is not None
        truth = 1 - np.concatenate(wrong)[np.concatenate(digits) == 3].mean()
        held.append(found.low <= truth <= found.high)
    assert np.mean(held) >= binom.ppf(0.001, 400, 0.95) / 400


def _of_digit(
    strata: Strata, wrong: Sequence[NDArray[np.bool_]], digits: Sequence[NDArray[np.int64]], draw: np.random.Generator
) -> list[Stratum]:
    counts = []
    for rows, judged, is_wrong, digit in zip(strata.rows, strata.judged, wrong, digits, strict=True):
        chosen = draw.choice(rows, judged, replace=False)
        members = digit[chosen] == 3
        counts.append(Stratum(int(rows), int(judged), int(members.sum()), int((members & is_wrong[chosen]).sum())))
    return counts

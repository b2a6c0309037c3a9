"""Scores: by hand, against published values, and against other libraries."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn import metrics

from audiomnist.core.digits import PROBABILITIES
from audiomnist.evaluation import metrics as evaluation


def predictions(clips: int = 200, seed: int = 0) -> pd.DataFrame:
    """Return random test predictions, right more often than not."""
    draw = np.random.default_rng(seed)
    digits = draw.integers(0, 10, clips)
    logits = draw.normal(0, 1, (clips, 10))
    logits[np.arange(clips), digits] += 2
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    table = pd.DataFrame({"digit": digits, "speaker": draw.choice(["ada", "ben", "cyd"], clips)})
    table["predicted"] = probabilities.argmax(axis=1)
    table[PROBABILITIES] = probabilities
    return table


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilsons_interval_is_the_published_one(successes: int, trials: int, low: float, high: float) -> None:
    """The values are those of Newcombe (1998), table I, method 3."""
    assert evaluation.wilson_interval(successes, trials) == pytest.approx((low, high), abs=6e-5)


@settings(deadline=None)
@given(trials=st.integers(1, 5000), share=st.floats(0, 1))
def test_an_accuracy_lies_in_its_interval(trials: int, share: float) -> None:
    """At 0 and 1 too, and the interval lies in [0, 1]."""
    successes = round(trials * share)
    low, high = evaluation.wilson_interval(successes, trials)
    assert 0 <= low <= successes / trials <= high <= 1


def test_the_expected_calibration_error_by_hand() -> None:
    """Two neighbouring bins of two clips: gaps 0.62 - 0.5 and 1 - 0.71, which do not cancel, by half each."""
    confidences = np.array([0.61, 0.63, 0.70, 0.72])
    probabilities = np.full((4, 10), 0.0)
    probabilities[:, 3] = confidences
    probabilities[:, 4] = 1 - confidences
    right = np.array([True, False, True, True])
    assert evaluation.expected_calibration_error(probabilities, right) == pytest.approx((0.12 + 0.29) / 2)


def test_certain_and_right_is_calibrated_and_certain_and_wrong_is_not() -> None:
    """Confidence 1 is in the last bin."""
    certain = np.eye(10)
    assert evaluation.expected_calibration_error(certain, np.full(10, fill_value=True)) == 0
    assert evaluation.expected_calibration_error(certain, np.full(10, fill_value=False)) == 1


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 10_000), clips=st.integers(20, 200))
def test_scores_are_those_of_scikit_learn(seed: int, clips: int) -> None:
    """Accuracy, macro F1, log loss and the recall of every digit that was spoken."""
    table = predictions(clips, seed)
    scored = evaluation.scores(table)
    truth, guess = table["digit"], table["predicted"]
    assert scored["accuracy"] == pytest.approx(metrics.accuracy_score(truth, guess))
    assert scored["accuracy_low"] <= scored["accuracy"] <= scored["accuracy_high"]
    assert scored["macro_f1"] == pytest.approx(metrics.f1_score(truth, guess, average="macro"))
    assert scored["log_loss"] == pytest.approx(metrics.log_loss(truth, table[PROBABILITIES], labels=range(10)))
    spoken = sorted(set(truth))
    recalls = metrics.recall_score(truth, guess, labels=spoken, average=None)
    assert scored["recall"] == pytest.approx({str(digit): r for digit, r in zip(spoken, recalls, strict=True)})


def test_recalls_by_digit_and_by_speaker_by_hand() -> None:
    """Each group is scored on its own clips; a digit that nobody spoke has no recall."""
    table = predictions(4)
    table["digit"], table["predicted"] = [3, 3, 7, 7], [3, 7, 7, 7]
    table["speaker"] = ["ben", "ada", "ada", "ada"]
    scored = evaluation.scores(table)
    assert scored["recall"] == {"3": 0.5, "7": 1.0}
    assert scored["speaker"] == {"ada": pytest.approx(2 / 3), "ben": 1.0}
    assert scored["accuracy"] == 0.75


def test_a_truth_held_impossible_costs_much_but_not_infinitely() -> None:
    """The least probability that counts is 1e-12."""
    loss = evaluation.log_loss(np.eye(10)[:1], np.array([5]))
    assert loss == pytest.approx(12 * np.log(10))


@pytest.mark.parametrize(
    ("only_first", "only_second", "p"),
    [(5, 0, 0.0625), (1, 9, 0.021484375), (6, 6, 1.0), (0, 1, 1.0), (0, 10, 2 / 1024)],
)
def test_mcnemars_exact_test_by_hand(only_first: int, only_second: int, p: float) -> None:
    """Twice the binomial tail of the clips that one model alone gets right; the others do not count."""
    first = [True] * only_first + [False] * only_second + [True] * 20 + [False] * 3
    second = [False] * only_first + [True] * only_second + [True] * 20 + [False] * 3
    assert evaluation.mcnemar_p(first, second) == pytest.approx(p)
    assert evaluation.mcnemar_p(second, first) == pytest.approx(p)


@settings(deadline=None)
@given(pairs=st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1))
def test_mcnemars_test_is_the_sign_test_of_the_discordant_clips(pairs: list[tuple[bool, bool]]) -> None:
    """It is scipy's binomial test, and 1 where no clip tells the models apart."""
    first, second = zip(*pairs, strict=True)
    discordant = [a for a, b in pairs if a != b]
    expected = float(binomtest(sum(discordant), len(discordant)).pvalue) if discordant else 1.0
    assert evaluation.mcnemar_p(first, second) == pytest.approx(expected)


def test_models_evaluated_on_unequally_many_clips_are_not_compared() -> None:
    """Pairs need partners."""
    with pytest.raises(ValueError, match="shorter"):
        evaluation.mcnemar_p([True, False], [True])


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.12345678, 0.123457),
        (np.float64(2 / 3), 0.666667),
        ({"a": {"b": 1 / 3}, "n": 7, "s": "x"}, {"a": {"b": 0.333333}, "n": 7, "s": "x"}),
    ],
)
def test_rounding_leaves_six_digits_and_everything_else_unchanged(value: Any, expected: Any) -> None:
    """Floats at any depth; integers and texts stay."""
    assert evaluation.rounded(value) == expected

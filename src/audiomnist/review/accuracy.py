r"""Accuracy of a night, estimated from a stratified random sample of clips that people judged, with a 95% interval.

Let stratum h have N_h rows, of which n_h are judged, chosen at random. Among them m_h belong to what is estimated (all
rows with a label, or those of one digit), and x_h of these have the wrong label. A judged row stands for N_h / n_h
rows; with w_h = (N_h / n_h) / sum_k (N_k / n_k) m_k the estimated error rate is y = sum_h w_h x_h (a ratio estimate, if
m_h < n_h: Cochran, Sampling Techniques, Wiley 1977, 5A.14).

The interval is the exact one of Clopper and Pearson, made for clips of unequal weight. As Korn and Graubard do
(Confidence intervals for proportions with small expected number of positive counts estimated from survey data, Survey
Methodology 24, 1998, 193-201), each limit is a quantile of a beta distribution, here of the moments that Fay and Feuer
chose for weighted sums of few events (Confidence intervals for directly standardized rates, Statistics in Medicine 16,
1997, 791-801). With w the largest w_h, the lower limit is the 2.5% quantile of that with

    mean y / (1 + w)        variance sum_h w_h^2 x_h (1 - x_h / (m_h + 1)) / (1 + w)^2

and the upper one the 97.5% quantile of that with one more error in the stratum of w. The night is finite: the terms of
the variance have the factor 1 - n_h / N_h, and w its root, so that nothing is uncertain in a night that was judged as a
whole. Where more than half of the labels are wrong, the interval is that of the right ones.

Intervals from a normal distribution, and those that add up an interval of each stratum (Yan and Su, Stratified Wilson
and Newcombe confidence intervals, Statistics in Biopharmaceutical Research 2, 2010, 329-335), hold less than their
level, or are twice as wide, where most strata have no error. tests/unit/review/test_accuracy.py simulates this one.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from operator import mul
from typing import NamedTuple

from audiomnist.core.digits import CLASSES
from audiomnist.review.judgements import NO_DIGIT, Judgement, current

_LOWER, _UPPER = 0.025, 0.975


class Stratum(NamedTuple):
    """Counts of a stratum: rows > 0, judged rows > 0, members among these, and members with a wrong label."""

    rows: int
    judged: int
    members: int
    wrong: int


@dataclass(frozen=True)
class Estimate:
    """An accuracy with its 95% interval, in [0, 1], and the number of judged clips that it is from."""

    accuracy: float
    low: float
    high: float
    judged: int


@dataclass(frozen=True)
class JudgedClip:
    """A clip of the sample.

    Attributes:
        stratum: that it was drawn from.
        stratum_rows: rows of the night in it.
        label: by the model; None if it was withheld.
        confidence: of the model, in [0, 1].
        heard: digit that a person heard; None for none.
    """

    stratum: int
    stratum_rows: int
    label: int | None
    confidence: float
    heard: int | None

    @property
    def is_wrong(self) -> bool:
        """Whether the label is another than the digit heard."""
        return self.label != self.heard


@dataclass(frozen=True)
class Calibration:
    """Promised and measured accuracy of a stratum: the mean confidence of its judged clips, and their accuracy."""

    confidence: float
    measured: Estimate


def estimate(strata: Sequence[Stratum]) -> Estimate | None:
    """Return the accuracy among the members of all strata; None if no member was judged.

    >>> estimate([Stratum(rows=9_000, judged=200, members=200, wrong=0), Stratum(1_000, 100, 100, 10)])
    Estimate(accuracy=0.99, low=0.97..., high=0.99..., judged=300)
    """
    judged = sum(stratum.members for stratum in strata)
    if judged == 0:
        return None
    wrong = sum(stratum.rows / stratum.judged * stratum.wrong for stratum in strata)
    right = sum(stratum.rows / stratum.judged * (stratum.members - stratum.wrong) for stratum in strata)
    accuracy = right / (right + wrong)
    if wrong > right:
        low, high = _rate_interval([stratum._replace(wrong=stratum.members - stratum.wrong) for stratum in strata])
    else:
        high, low = (1 - limit for limit in _rate_interval(strata))
    return Estimate(accuracy, low, high, judged)


def _rate_interval(strata: Sequence[Stratum]) -> tuple[float, float]:
    """Return the 95% interval of the error rate."""
    members = sum(stratum.rows / stratum.judged * stratum.members for stratum in strata)
    weights = [stratum.rows / stratum.judged / members if stratum.members else 0.0 for stratum in strata]
    unjudged = [1 - stratum.judged / stratum.rows for stratum in strata]
    wrong = [stratum.wrong for stratum in strata]
    effects = [weight * sqrt(share) for weight, share in zip(weights, unjudged, strict=True)]
    largest = max(effects)

    def limit(share: float, wrong: Sequence[int], more: float) -> float:
        each = zip(strata, effects, wrong, strict=True)
        variance = sum(effect**2 * count * (1 - count / (stratum.members + 1)) for stratum, effect, count in each)
        return _beta_quantile(share, (rate + more) / (1 + largest), variance / (1 + largest) ** 2)

    rate = sum(map(mul, weights, wrong))
    low = limit(_LOWER, wrong, 0)
    wrong[effects.index(largest)] += 1
    high = limit(_UPPER, wrong, largest)
    seen_wrong = sum(stratum.wrong for stratum in strata) / members
    seen_right = sum(stratum.members - stratum.wrong for stratum in strata) / members
    return max(low, seen_wrong), min(high, 1 - seen_right)


def _beta_quantile(share: float, mean: float, variance: float) -> float:
    """Return a quantile of the beta distribution with these moments."""
    from scipy.special import betaincinv  # noqa: PLC0415 - only the estimates need it

    if variance == 0:
        return mean
    size = mean * (1 - mean) / variance - 1
    return float(betaincinv(mean * size, (1 - mean) * size, share)) if size > 0 else round(share)


def judged_sample(
    judgements: Sequence[Judgement], answers: Mapping[tuple[str, str, str], tuple[int | None, float]]
) -> list[JudgedClip]:
    """Return the judged clips of a night's random sample; of several samples, that with the most.

    A clip has the label that it was given last, by whomever, within the sample or not.

    Args:
        judgements: of the night, in the order in which they were made.
        answers: label and confidence of each row of the night, by `Judgement.clip`.
    """
    of_samples: dict[str, list[Judgement]] = {}
    for judgement in judgements:
        if judgement.sample is not None:
            of_samples.setdefault(judgement.sample, []).append(judgement)
    samples = [{found.clip: found for found in current(drawn)} for drawn in of_samples.values()]
    last = {judgement.clip: judgement.label for judgement in current(judgements)}
    return [
        JudgedClip(drawn.stratum or 0, drawn.stratum_rows or 0, *answers[clip], heard_digit(last[clip]))
        for clip, drawn in max(samples, key=len, default={}).items()
        if clip in answers and clip in last
    ]


def heard_digit(label: str | None) -> int | None:
    """Return the digit of a judgement; None if no digit was heard."""
    return None if label in (None, NO_DIGIT) else int(str(label))


def overall(clips: Iterable[JudgedClip]) -> Estimate | None:
    """Return the accuracy of the labels of a night, from its sample; None if no row with a label was judged."""
    return estimate(_strata(clips, lambda clip: clip.label is not None))


def by_label(clips: Sequence[JudgedClip]) -> dict[int, Estimate]:
    """Return, for each label that was judged, which share of the rows with this label has the right one (precision)."""
    return _by_digit(clips, lambda clip: clip.label)


def by_digit(clips: Sequence[JudgedClip]) -> dict[int, Estimate]:
    """Return, for each digit that was heard, which share of the labelled rows with this digit is labelled so (recall).

    Recordings of it that were rejected, or whose label was withheld, do not count.
    """
    return _by_digit(clips, lambda clip: clip.heard)


def calibration(clips: Sequence[JudgedClip]) -> list[Calibration]:
    """Return what each stratum promised and what was measured, the lowest confidence first."""
    found = []
    for stratum in {clip.stratum for clip in clips}:
        inside = [clip for clip in clips if clip.stratum == stratum and clip.label is not None]
        measured = overall(clip for clip in clips if clip.stratum == stratum)
        if measured:
            found.append(Calibration(sum(clip.confidence for clip in inside) / len(inside), measured))
    return sorted(found, key=lambda stratum: stratum.confidence)


def _by_digit(clips: Sequence[JudgedClip], digit_of: Callable[[JudgedClip], int | None]) -> dict[int, Estimate]:
    found = {
        digit: estimate(_strata(clips, lambda clip: clip.label is not None and digit_of(clip) == digit))  # noqa: B023
        for digit in range(CLASSES)
    }
    return {digit: estimated for digit, estimated in found.items() if estimated}


def _strata(clips: Iterable[JudgedClip], is_member: Callable[[JudgedClip], bool]) -> list[Stratum]:
    rows: dict[int, int] = {}
    judged, members, wrong = Counter[int](), Counter[int](), Counter[int]()
    for clip in clips:
        rows[clip.stratum] = clip.stratum_rows
        judged[clip.stratum] += 1
        members[clip.stratum] += is_member(clip)
        wrong[clip.stratum] += is_member(clip) and clip.is_wrong
    return [Stratum(rows[number], judged[number], members[number], wrong[number]) for number in rows]

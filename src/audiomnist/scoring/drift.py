"""How far a run's files lie from those that the model was trained on: the population stability index.

With e and o the shares of a bin among the training clips and in the run, PSI = sum of (o - e) ln(o / e) over the
bins. The thresholds are the usual ones (N. Siddiqi, Credit Risk Scorecards, Wiley 2006): below 0.1 stable, from
0.25 on a major change, moderate between.

A bin that is empty on either side would make the index infinite. So both sides are written as counts among the
run's n files, and half a count is added to each bin of both: a run with just the shares of the reference still
has the index 0, and the effect fades as n grows.

Chance alone gives a run of n files, drawn from the very distribution of the reference, an index of about
(bins - 1) / n. With ten bins, 31% of such runs of 100 files reach 0.1, 2% of those of 200, none of 20,000 simulated
runs of 500. Below 200 files there is therefore no verdict. A reference made of m clips adds about (bins - 1) / m.
"""

from collections.abc import Iterator, Sequence
from math import log
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from audiomnist.serving.bundle.reference import Reference

MODERATE_PSI = 0.1
MAJOR_PSI = 0.25
FEWEST_FILES = 200

_ADDED_COUNT = 0.5

_NAMES = {"labels": "labels", "confidence": "confidence", "duration_s": "duration"}
_STYLES = {"stable": "green", "moderate": "yellow", "major": "bold red", "too_few": "dim"}

Verdict = Literal["stable", "moderate", "major", "too_few"]


class Drift(BaseModel):
    """The drift of one quantity: `psi` >= 0, None for a run without files; `too_few` files allow no verdict."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    psi: float | None = Field(ge=0)
    verdict: Verdict


class Drifts(BaseModel):
    """The drift of the labels, and of the confidence and the duration of what the model heard."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    labels: Drift
    confidence: Drift
    duration_s: Drift


class DriftCounts:
    """How many files of a run fell into each bin of a reference, in memory that does not grow with the files."""

    def __init__(self, reference: Reference) -> None:
        self._reference = reference
        self._labels = [0] * len(reference.labels)
        self._confidence = [0] * len(reference.confidence.shares)
        self._duration_s = [0] * len(reference.duration_s.shares)

    def add(self, digit: int | None, confidence: float, duration_s: float) -> None:
        """Count one file that the model heard; `digit` is None if the label was withheld."""
        if digit is not None:
            self._labels[digit] += 1
        self._confidence[self._reference.confidence.bin_of(confidence)] += 1
        self._duration_s[self._reference.duration_s.bin_of(duration_s)] += 1

    @property
    def labels(self) -> tuple[int, ...]:
        """Files of each digit, 0 to 9."""
        return tuple(self._labels)

    def drifts(self) -> Drifts:
        """Return the drift of what was counted up to now."""
        return Drifts(
            labels=drift(self._reference.labels, self._labels),
            confidence=drift(self._reference.confidence.shares, self._confidence),
            duration_s=drift(self._reference.duration_s.shares, self._duration_s),
        )


def drift(expected_shares: Sequence[float], observed_counts: Sequence[int]) -> Drift:
    """Return the index and what it means; the arguments are those of `psi`."""
    files = sum(observed_counts)
    if files == 0:
        return Drift(psi=None, verdict="too_few")
    index = psi(expected_shares, observed_counts)
    return Drift(psi=index, verdict=verdict(index, files))


def psi(expected_shares: Sequence[float], observed_counts: Sequence[int]) -> float:
    """Return the population stability index, smoothed by half a count per bin.

    Args:
        expected_shares: share of each bin in the reference `(bins,)`, sum 1.
        observed_counts: files of the run in each bin `(bins,)`, >= 0.

    Raises:
        ValueError: the numbers of bins differ.

    >>> psi([0.5, 0.5], [300, 300])
    0.0
    >>> round(psi([0.5, 0.5], [400, 200]), 3)
    0.115
    """
    files = sum(observed_counts)
    smoothed_files = files + _ADDED_COUNT * len(observed_counts)
    index = 0.0
    for share, count in zip(expected_shares, observed_counts, strict=True):
        expected = (files * share + _ADDED_COUNT) / smoothed_files
        observed = (count + _ADDED_COUNT) / smoothed_files
        index += (observed - expected) * log(observed / expected)
    return index


def verdict(index: float, files: int) -> Verdict:
    """Return what an index means in a run of so many files."""
    if files < FEWEST_FILES:
        return "too_few"
    if index < MODERATE_PSI:
        return "stable"
    return "moderate" if index < MAJOR_PSI else "major"


def styled_lines(drifts: Drifts) -> Iterator[tuple[str, str]]:
    """Yield a line for each quantity, with the style in which Rich prints it."""
    for field, name in _NAMES.items():
        found: Drift = getattr(drifts, field)
        index = "-" if found.psi is None else f"{found.psi:.3f}"
        meaning = f"fewer than {FEWEST_FILES} files: no verdict" if found.verdict == "too_few" else found.verdict
        yield f"  {name:<10}  {index:>6}  {meaning}", _STYLES[found.verdict]

"""Drift of a run's files from the training data: the population stability index (PSI).

With e and o the shares of a bin among the training clips and in the run, PSI = sum of (o - e) ln(o / e) over the
bins. The thresholds are the usual ones (N. Siddiqi, Credit Risk Scorecards, Wiley 2006): below 0.1 stable, from
0.25 on a major change, moderate between.

A bin that is empty on either side would make the index infinite. Both sides are therefore converted to counts among
the run's n files, and half a count is added to each bin: a run with exactly the shares of the reference still has
the index 0, and the effect vanishes as n grows.

By chance, a run of n files drawn from the distribution of the reference has an index of about (bins - 1) / n. With
ten bins, 31% of such runs of 100 files reach 0.1, 2% of those of 200, none of 20,000 simulated runs of 500. A run of
fewer than 200 files is therefore not rated. A reference made of m clips adds about (bins - 1) / m.
"""

from collections.abc import Iterator, Sequence
from math import log
from typing import Literal

from pydantic import Field

from audiomnist.core.frozen_model import FrozenModel
from audiomnist.serving.bundle.reference import Reference

MODERATE_PSI = 0.1
MAJOR_PSI = 0.25
FEWEST_FILES = 200

_ADDED_COUNT = 0.5

_STYLES = {"stable": "green", "moderate": "yellow", "major": "bold red", "too_few": "dim"}

Level = Literal["stable", "moderate", "major", "too_few"]


class Drift(FrozenModel):
    """Drift of one quantity: `psi` >= 0, None for a run without files; `level` is its meaning."""

    psi: float | None = Field(ge=0)
    level: Level


class Drifts(FrozenModel):
    """Drift of the labels, the confidence and the duration of files with a prediction."""

    labels: Drift
    confidence: Drift
    duration_s: Drift


class DriftCounts:
    """Files of a run in each bin of a reference, in constant memory; `labels` has those of each digit, 0 to 9."""

    def __init__(self, reference: Reference) -> None:
        self._reference = reference
        self.labels = [0] * len(reference.labels)
        self._confidence = [0] * len(reference.confidence.shares)
        self._duration_s = [0] * len(reference.duration_s.shares)

    def add(self, digit: int | None, confidence: float, duration_s: float) -> None:
        """Count a file with a prediction; `digit` is None if the label was withheld."""
        if digit is not None:
            self.labels[digit] += 1
        self._confidence[self._reference.confidence.bin_of(confidence)] += 1
        self._duration_s[self._reference.duration_s.bin_of(duration_s)] += 1

    def drifts(self) -> Drifts:
        """Return the drift of the files counted so far."""
        return Drifts(
            labels=drift(self._reference.labels, self.labels),
            confidence=drift(self._reference.confidence.shares, self._confidence),
            duration_s=drift(self._reference.duration_s.shares, self._duration_s),
        )


def drift(expected_shares: Sequence[float], observed_counts: Sequence[int]) -> Drift:
    """Return the index and its level; the arguments are those of `psi`."""
    files = sum(observed_counts)
    index = psi(expected_shares, observed_counts) if files else None
    return Drift(psi=index, level=level(index or 0.0, files))


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


def level(index: float, files: int) -> Level:
    """Return the level of an index in a run of `files` files."""
    if files < FEWEST_FILES:
        return "too_few"
    if index < MODERATE_PSI:
        return "stable"
    return "moderate" if index < MAJOR_PSI else "major"


def styled_lines(drifts: Drifts) -> Iterator[tuple[str, str]]:
    """Yield a line for each quantity, and its style for Rich."""
    for field in Drifts.model_fields:
        value: Drift = getattr(drifts, field)
        index = "-" if value.psi is None else f"{value.psi:.3f}"
        meaning = f"fewer than {FEWEST_FILES} files: not rated" if value.level == "too_few" else value.level
        yield f"  {field.removesuffix('_s'):<10}  {index:>6}  {meaning}", _STYLES[value.level]

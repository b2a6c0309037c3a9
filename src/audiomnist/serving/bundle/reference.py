"""Distributions over the training clips, the reference for the drift of later runs."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from math import fsum
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, Field, model_validator

from audiomnist.core.digits import CLASSES
from audiomnist.core.frozen_model import FrozenModel

_SUM_TOLERANCE = 1e-6


def _ascending(edges: tuple[float, ...]) -> tuple[float, ...]:
    if any(low >= high for low, high in pairwise(edges)):
        raise ValueError("the edges must be strictly ascending")
    return edges


def _sum_to_1(shares: tuple[float, ...]) -> tuple[float, ...]:
    if abs(fsum(shares) - 1) > _SUM_TOLERANCE:
        raise ValueError(f"the shares must sum to 1, but sum to {fsum(shares)}")
    return shares


Edges = Annotated[tuple[float, ...], AfterValidator(_ascending)]
Shares = Annotated[tuple[Annotated[float, Field(ge=0)], ...], AfterValidator(_sum_to_1)]


class Histogram(FrozenModel):
    """Histogram of a sample; the lowest and the highest bin are open.

    Attributes:
        edges: n inner edges, strictly ascending, in the unit of the values.
        shares: share of each of the n + 1 bins, >= 0; their sum is 1.
    """

    edges: Edges
    shares: Shares

    @model_validator(mode="after")
    def _one_share_per_bin(self) -> "Histogram":
        if len(self.shares) != len(self.edges) + 1:
            raise ValueError(f"{len(self.edges)} edges make {len(self.edges) + 1} bins, not {len(self.shares)}")
        return self

    def bin_of(self, value: float) -> int:
        """Return the index of the bin that holds a value; a value on an edge belongs to the bin above it."""
        return bisect_right(self.edges, value)


class Reference(FrozenModel):
    """Distributions over the training clips.

    Attributes:
        labels: share of each digit, 0 to 9.
        confidence: calibrated probability of the label, in [0, 1].
        duration_s: duration of the recordings, in seconds.
    """

    labels: Annotated[Shares, Field(min_length=CLASSES, max_length=CLASSES)]
    confidence: Histogram
    duration_s: Histogram


def histogram_of(values: Sequence[float] | NDArray[np.floating], bins: int = 10) -> Histogram:
    """Return the histogram of a sample, with bins of about equal shares.

    The edges are quantiles of the sample. Equal quantiles are merged, so a sample with many equal values has fewer
    bins, of unequal shares.

    Args:
        values: finite numbers `(n,)`, n > 0.
        bins: maximum number of bins (> 0).

    Raises:
        ValueError: there are no values or no bins, or a value is not finite.

    >>> histogram_of([1, 2, 3, 4], bins=2)
    Histogram(edges=(2.5,), shares=(0.5, 0.5))
    """
    sample = np.asarray(values, dtype=np.float64)
    if len(sample) == 0 or bins < 1 or not np.isfinite(sample).all():
        raise ValueError("a histogram needs at least one value, finite values and at least one bin")
    edges = np.unique(np.quantile(sample, np.arange(1, bins) / bins))
    counts = np.bincount(np.searchsorted(edges, sample, side="right"), minlength=len(edges) + 1)
    return Histogram(edges=tuple(edges.tolist()), shares=tuple((counts / len(sample)).tolist()))


def quantiles_histogram(quantiles: Sequence[float]) -> Histogram:
    """Return the histogram whose edges are these quantiles, equally spaced and ascending; equal ones are merged.

    >>> quantiles_histogram([1.0, 1.0, 2.0])
    Histogram(edges=(1.0, 2.0), shares=(0.25, 0.5, 0.25))
    """
    share = 1 / (len(quantiles) + 1)
    repeats = Counter(quantiles)
    return Histogram(edges=tuple(repeats), shares=(share, *(share * count for count in repeats.values())))

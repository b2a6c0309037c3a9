"""What a model's training clips looked like as a whole, for later runs to be held against."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import fsum
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from audiomnist.core.digits import CLASSES

_SUM_TOLERANCE = 1e-6


def _ascending(edges: tuple[float, ...]) -> tuple[float, ...]:
    if any(low >= high for low, high in pairwise(edges)):
        raise ValueError("the edges must ascend, each above the one before")
    return edges


def _whole(shares: tuple[float, ...]) -> tuple[float, ...]:
    if abs(fsum(shares) - 1) > _SUM_TOLERANCE:
        raise ValueError(f"the shares must sum to 1, and sum to {fsum(shares)}")
    return shares


Edges = Annotated[tuple[float, ...], AfterValidator(_ascending)]
Shares = Annotated[tuple[Annotated[float, Field(ge=0)], ...], AfterValidator(_whole)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Histogram(_Part):
    """The shares of a sample that fall into bins; the lowest and the highest bin are open.

    Attributes:
        edges: inner edges, strictly ascending, in the unit of the values; n edges make n + 1 bins.
        shares: share of each bin, n + 1 numbers >= 0 that sum to 1.
    """

    edges: Edges
    shares: Shares

    @model_validator(mode="after")
    def _a_share_per_bin(self) -> "Histogram":
        if len(self.shares) != len(self.edges) + 1:
            raise ValueError(f"{len(self.edges)} edges make {len(self.edges) + 1} bins, not {len(self.shares)}")
        return self

    def bin_of(self, value: float) -> int:
        """Return the index of the bin that holds a value; a value on an edge belongs to the bin above it."""
        return bisect_right(self.edges, value)


class Reference(_Part):
    """What a run is held against.

    Attributes:
        labels: share of each digit, 0 to 9.
        confidence: of the calibrated probability of the label, in [0, 1].
        duration_s: of the length of the recordings, in seconds.
    """

    labels: Annotated[Shares, Field(min_length=CLASSES, max_length=CLASSES)]
    confidence: Histogram
    duration_s: Histogram


def histogram_of(values: Sequence[float] | NDArray[np.floating], bins: int = 10) -> Histogram:
    """Return the histogram of a sample over bins that hold about equal shares of it.

    The edges are quantiles of the sample. Equal ones are merged, so a sample with many equal values has fewer
    bins, of unequal shares.

    Args:
        values: finite numbers `(n,)`, n > 0.
        bins: the most bins there may be (> 0).

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


def deciles_histogram(deciles: Mapping[str, float]) -> Histogram:
    """Return the histogram whose edges are deciles, ascending; equal deciles are one edge.

    >>> deciles_histogram({"p25": 1.0, "p50": 1.0, "p75": 2.0})
    Histogram(edges=(1.0, 2.0), shares=(0.25, 0.5, 0.25))
    """
    share = 1 / (len(deciles) + 1)
    times = Counter(deciles.values())
    return Histogram(edges=tuple(times), shares=(share, *(share * count for count in times.values())))

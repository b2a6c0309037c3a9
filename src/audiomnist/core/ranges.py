"""Ranges as parameters."""

from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator

_T = TypeVar("_T")


def _ordered(bounds: tuple[Any, Any]) -> tuple[Any, Any]:
    if bounds[0] > bounds[1]:
        raise ValueError("the lower bound comes first")
    return bounds


# `Range[int]`: a lower and an upper bound, which may be equal.
Range = Annotated[tuple[_T, _T], AfterValidator(_ordered)]

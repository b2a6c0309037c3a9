"""Rules about the columns of a table of measurements, as data: no data checker is imported to state them.

A null value breaks no rule: a measurement that could not be taken is told by a rule of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Rule:
    """One demand.

    Attributes:
        sentence: what holds if the rule is met, for people.
        expectation: the class in `great_expectations.expectations` that checks it.
        arguments: what that class is made with.
    """

    sentence: str
    expectation: str
    arguments: dict[str, Any]


def between(sentence: str, column: str, low: float | None = None, high: float | None = None) -> Rule:
    """Values lie between `low` and `high`, both included; None is no bound."""
    bounds = {"column": column, "min_value": low, "max_value": high}
    return Rule(sentence, "ExpectColumnValuesToBeBetween", bounds)


def among(sentence: str, column: str, values: Sequence[Any], share: float = 1.0) -> Rule:
    """At least this share of the values is one of `values`."""
    arguments = {"column": column, "value_set": list(values), "mostly": share}
    return Rule(sentence, "ExpectColumnValuesToBeInSet", arguments)


def equal(sentence: str, column: str, other: str) -> Rule:
    """Two columns agree in each row."""
    pair = {"column_A": column, "column_B": other, "ignore_row_if": "either_value_is_missing"}
    return Rule(sentence, "ExpectColumnPairValuesToBeEqual", pair)


def at_most(sentence: str, column: str, other: str) -> Rule:
    """A value is at most that of another column in the same row."""
    pair = {
        "column_A": other,
        "column_B": column,
        "or_equal": True,
        "ignore_row_if": "either_value_is_missing",
    }
    return Rule(sentence, "ExpectColumnPairValuesAToBeGreaterThanB", pair)


def unique(sentence: str, *columns: str) -> Rule:
    """No two rows have the same values in these columns."""
    if len(columns) == 1:
        return Rule(sentence, "ExpectColumnValuesToBeUnique", {"column": columns[0]})
    return Rule(sentence, "ExpectCompoundColumnsToBeUnique", {"column_list": list(columns)})

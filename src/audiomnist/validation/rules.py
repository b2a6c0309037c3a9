"""Rules about the columns of a table of measurements, as data: stating them imports no validation library.

A null value breaks no rule: another rule reports measurements that are missing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Rule:
    """One requirement.

    Attributes:
        description: what holds if the rule is met.
        expectation: the class in `great_expectations.expectations` that checks it.
        arguments: its keyword arguments.
    """

    description: str
    expectation: str
    arguments: dict[str, Any]


def between(
    description: str, column: str, low: float | None = None, high: float | None = None, fraction: float = 1.0
) -> Rule:
    """At least this fraction of the values is between `low` and `high`, both included; None is no bound."""
    arguments = {"column": column, "min_value": low, "max_value": high, "mostly": fraction}
    return Rule(description, "ExpectColumnValuesToBeBetween", arguments)


def among(description: str, column: str, values: Sequence[Any], fraction: float = 1.0) -> Rule:
    """At least this fraction of the values is one of `values`."""
    arguments = {"column": column, "value_set": list(values), "mostly": fraction}
    return Rule(description, "ExpectColumnValuesToBeInSet", arguments)


def equal(description: str, column: str, other: str) -> Rule:
    """Two columns have equal values in each row."""
    arguments = {"column_A": column, "column_B": other, "ignore_row_if": "either_value_is_missing"}
    return Rule(description, "ExpectColumnPairValuesToBeEqual", arguments)


def at_most(description: str, column: str, other: str) -> Rule:
    """A value is at most that of another column in the same row."""
    arguments = {"column_A": other, "column_B": column, "or_equal": True, "ignore_row_if": "either_value_is_missing"}
    return Rule(description, "ExpectColumnPairValuesAToBeGreaterThanB", arguments)


def unique(description: str, *columns: str) -> Rule:
    """No two rows have the same values in these columns."""
    if len(columns) == 1:
        return Rule(description, "ExpectColumnValuesToBeUnique", {"column": columns[0]})
    return Rule(description, "ExpectCompoundColumnsToBeUnique", {"column_list": list(columns)})

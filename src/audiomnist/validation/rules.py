"""Rules about the columns of a table of measurements, as data: stating them imports no validation library.

A null value breaks no rule: another rule reports measurements that are missing.
"""

from collections.abc import Hashable, Mapping, Sequence
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

    def is_broken_by(self, row: Mapping[Hashable, Any]) -> bool:
        """Return whether a row breaks a rule about the values of one column; a rule of another kind it never breaks."""
        value = row.get(self.arguments.get("column"))
        if value is None or value != value:  # noqa: PLR0124 - NaN
            return False
        if "value_set" in self.arguments:
            return value not in self.arguments["value_set"]
        low, high = self.arguments.get("min_value"), self.arguments.get("max_value")
        return (low is not None and value < low) or (high is not None and value > high)


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

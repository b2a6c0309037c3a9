"""Rounds of measurements, and what is told of them: ratios are taken within a round, medians over the rounds."""

from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import Any

from rich.console import Console
from rich.progress import track

# Values by name; a dot in a name nests it in the report.
Round = dict[str, float]
Measure = Callable[[], Round]


def interleaved(measures: Sequence[Measure], repetitions: int, title: str, console: Console) -> list[Round]:
    """Take each measure once per round, each round beginning with the next of them, and return the rounds.

    Args:
        measures: each gives values of its own.
        repetitions: rounds.
        title: what the progress bar says.
        console: where it is drawn.
    """
    count = len(measures)
    turns = [(number, measures[(number + place) % count]) for number in range(repetitions) for place in range(count)]
    rounds: list[Round] = [{} for _ in range(repetitions)]
    for number, measure in track(turns, title, console=console):
        rounds[number] |= measure()
    return rounds


def with_ratios(found: Round, ratios: Mapping[str, tuple[str, str]]) -> Round:
    """Return a round with ratios of its own values: by the ratio's name, the names of dividend and divisor."""
    return found | {name: found[dividend] / found[divisor] for name, (dividend, divisor) in ratios.items()}


def told(rounds: Sequence[Round]) -> dict[str, Any]:
    """Return the median of each value, and under `spread` the least and the greatest; four digits of each.

    >>> told([{"files_per_s": 3.0}, {"files_per_s": 1.0}, {"files_per_s": 5.0}])
    {'files_per_s': 3.0, 'spread': {'files_per_s': [1.0, 5.0]}, 'repetitions': 3}
    """
    columns = {name: [found[name] for found in rounds] for name in rounds[0]}
    medians = _nested({name: _rounded(median(values)) for name, values in columns.items()})
    spread = {name: [_rounded(min(values)), _rounded(max(values))] for name, values in columns.items()}
    return {**medians, "spread": spread, "repetitions": len(rounds)}


def _nested(values: Mapping[str, float]) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for name, value in values.items():
        *folders, last = name.split(".")
        place = nested
        for folder in folders:
            place = place.setdefault(folder, {})
        place[last] = value
    return nested


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")

"""The plot of a model's robustness."""

from collections.abc import Sequence
from itertools import groupby, pairwise
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from audiomnist.evaluation import plots
from audiomnist.evaluation.plots import BLUE, ORANGE
from audiomnist.robustness.conditions import Condition

_ROW_HEIGHT = 0.2
_GREY = "#7d7d7d"


def draw(conditions: Sequence[Condition], rows: pd.DataFrame, title: str, target: Path) -> None:
    """Plot accuracy with its interval, confidence and calibration error, with a row per condition, grouped by kind.

    Args:
        conditions: in the order of the rows.
        rows: for each of them `accuracy`, `accuracy_low`, `accuracy_high`, `confidence` and `ece`, in [0, 1].
        title: of the figure.
        target: PNG to write.
    """
    figure = Figure(figsize=(9.6, 1.6 + _ROW_HEIGHT * len(conditions)), layout="constrained")
    panels = figure.subplots(1, 3, sharey=True, width_ratios=[2.2, 1, 1])
    y = np.arange(len(conditions))
    accuracy, low, high = (100 * rows[column] for column in ("accuracy", "accuracy_low", "accuracy_high"))
    interval = np.maximum([accuracy - low, high - accuracy], 0)
    panels[0].errorbar(accuracy, y, xerr=interval, fmt="o", color=BLUE, markersize=4.5, capsize=2.5, linewidth=1.2)
    panels[0].axvline(accuracy.iloc[0], color=BLUE, linewidth=0.8, linestyle=":")
    panels[1].plot(100 * rows["confidence"], y, "D", color=ORANGE, markersize=4.5)
    panels[2].barh(y, 100 * rows["ece"], color=_GREY, height=0.6)
    panels[0].set_yticks(y, _labels(conditions))
    panels[0].set(xlabel="accuracy, %, dotted: clean", xlim=(None, 101), ylim=(len(conditions) - 0.5, -0.5))
    panels[1].set(xlabel="mean confidence, %", xlim=(None, 101))
    panels[2].set(xlabel="calibration error (ECE), %")
    for axes in panels:
        _separate_kinds(axes, conditions)
    figure.suptitle(title)
    plots.save(figure, target)


def _labels(conditions: Sequence[Condition]) -> list[str]:
    """Return a label per row: its strength, after the name of the kind in the first row of each kind."""
    labels = []
    for kinds, group in groupby(conditions, key=lambda condition: condition.kinds):
        first, *others = (condition.strength for condition in group)
        labels += [" ".join([*reversed(kinds), " ", first]).strip(), *others]
    return labels


def _separate_kinds(axes: Axes, conditions: Sequence[Condition]) -> None:
    for index, (above, below) in enumerate(pairwise(conditions)):
        if above.kinds != below.kinds:
            axes.axhline(index + 0.5, color="black", linewidth=0.6)
    axes.grid(axis="x", alpha=0.3)

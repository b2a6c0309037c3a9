"""Plots of the longer protocols: unseen speakers, and how many others a model has to hear."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from audiomnist.evaluation import plots
from audiomnist.evaluation.names import TITLES
from audiomnist.evaluation.plots import BLUE, ORANGE

_TITLES = TITLES | {"linear": "Linear on MFCC"}
_COLOURS = (BLUE, ORANGE, "#3d8b58", "#7d7d7d", "#8a5aa3", "#b0a020")
_MARKERS = "osD^vPX"
_MEAN = "mean"
_BETWEEN_MODELS = 0.17


def unseen(accuracies: pd.DataFrame, models: Mapping[str, Mapping[str, Any]], target: Path) -> None:
    """Draw the accuracy on each unseen speaker, and the mean over them, with their 95% intervals.

    Args:
        accuracies: `model`, `speaker`, `accuracy`, `accuracy_low` and `accuracy_high` in [0, 1].
        models: for each model `mean`, `mean_low` and `mean_high`.
        target: PNG to write.
    """
    figure = Figure(figsize=(8.4, 4.6), layout="constrained")
    axes = figure.add_subplot()
    speakers = sorted(set(accuracies["speaker"]))
    for place, (model, scored) in enumerate(models.items()):
        rows = accuracies[accuracies["model"] == model].set_index("speaker").loc[speakers]
        points = rows[["accuracy", "accuracy_low", "accuracy_high"]].to_numpy()
        mean = [[scored["mean"], scored["mean_low"], scored["mean_high"]]]
        shift = (place - (len(models) - 1) / 2) * _BETWEEN_MODELS
        _dots(axes, np.vstack([points, mean]), shift, place, f"{_TITLES.get(model, model)}: {scored['mean']:.1%}")
    axes.axvline(len(speakers) - 0.5, color="black", linewidth=0.8)
    axes.set_xticks(range(len(speakers) + 1), [*speakers, _MEAN])
    axes.set(xlabel="speaker of whom the model heard nothing", ylabel="accuracy, %", ylim=(None, 100.5))
    axes.grid(axis="y", alpha=0.3)
    figure.legend(loc="outside upper center", ncols=len(models), columnspacing=1.2, frameon=False)
    plots.save(figure, target)


def _dots(axes: Axes, points: np.ndarray, shift: float, place: int, label: str) -> None:
    """Draw percentages with their intervals: `points` are `(dots, 3)`, each a share, its lower and its upper bound."""
    share, low, high = 100 * points.T
    axes.errorbar(
        np.arange(len(points)) + shift,
        share,
        yerr=np.maximum([share - low, high - share], 0),
        fmt=_MARKERS[place % len(_MARKERS)],
        color=_COLOURS[place % len(_COLOURS)],
        markersize=5,
        capsize=2.5,
        linewidth=1.2,
        label=label,
    )


def learning_curve(curve: pd.DataFrame, target: Path) -> None:
    """Draw the accuracy on each unseen speaker, thin, and the mean over them, bold, by the number of training speakers.

    Args:
        curve: of one `model`, `max_train_speakers`, `speaker` and `accuracy` in [0, 1].
        target: PNG to write.
    """
    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    axes = figure.add_subplot()
    by_count = 100 * curve.pivot_table(index="max_train_speakers", columns="speaker", values="accuracy")
    for place, speaker in enumerate(by_count):
        marker, colour = _MARKERS[place % len(_MARKERS)], _COLOURS[place % len(_COLOURS)]
        axes.plot(by_count[speaker], color=colour, marker=marker, markersize=3.5, linewidth=0.9, label=speaker)
    axes.plot(by_count.mean(axis=1), color="black", marker="o", linewidth=2.6, label=_MEAN)
    model = str(curve["model"].iloc[0])
    axes.set(xlabel="speakers in training", ylabel="accuracy on an unseen speaker, %", title=_TITLES.get(model, model))
    axes.set(xticks=by_count.index, ylim=(None, 100.5))
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    plots.save(figure, target)

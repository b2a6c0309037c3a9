"""Plots of the accuracy on unseen speakers, by speaker and by the number of training speakers."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from audiomnist.evaluation.names import TITLES
from audiomnist.evaluation.plots import BLUE, ORANGE, save

_TITLES = TITLES | {"linear": "Linear on MFCC"}
_COLORS = (BLUE, ORANGE, "#3d8b58", "#7d7d7d", "#8a5aa3", "#b0a020")
_MARKERS = "osD^vPX"
_BETWEEN_MODELS = 0.13


def plot_unseen(accuracies: pd.DataFrame, report: Mapping[str, Any], target: Path) -> None:
    """Plot the accuracy on each unseen speaker, and the mean over them, with their 95% intervals.

    Args:
        accuracies: `model`, `speaker`, `accuracy`, `accuracy_low` and `accuracy_high` in [0, 1].
        report: for each model `mean`, `mean_low` and `mean_high`.
        target: PNG to write.
    """
    figure = Figure(figsize=(8.4, 4.6), layout="constrained")
    axes = figure.add_subplot()
    speakers = sorted(set(accuracies["speaker"]))
    models = accuracies["model"].unique()
    for place, model in enumerate(models):
        rows = accuracies[accuracies["model"] == model].set_index("speaker").loc[speakers]
        points = rows[["accuracy", "accuracy_low", "accuracy_high"]].to_numpy()
        mean = [report[model][key] for key in ("mean", "mean_low", "mean_high")]
        percent, low, high = 100 * np.vstack([points, mean]).T
        axes.errorbar(
            np.arange(len(percent)) + (place - (len(models) - 1) / 2) * _BETWEEN_MODELS,
            percent,
            yerr=np.maximum([percent - low, high - percent], 0),
            fmt=_MARKERS[place % len(_MARKERS)],
            color=_COLORS[place % len(_COLORS)],
            markersize=5,
            capsize=2.5,
            linewidth=1.2,
            label=f"{_TITLES.get(model, model)}: {report[model]['mean']:.1%}",
        )
    axes.axvline(len(speakers) - 0.5, color="black", linewidth=0.8)
    axes.set_xticks(range(len(speakers) + 1), [*speakers, "mean"])
    axes.set(xlabel="speaker, not among the training speakers", ylabel="accuracy, %", ylim=(None, 100.5))
    axes.grid(axis="y", alpha=0.3)
    figure.legend(loc="outside upper center", ncols=3, columnspacing=1.2, frameon=False)
    save(figure, target)


def plot_learning_curve(curve: pd.DataFrame, model: str, target: Path) -> None:
    """Plot the accuracy on each unseen speaker, thin, and the mean over them, bold, by the number of training speakers.

    Args:
        curve: of the model, `max_train_speakers`, `speaker` and `accuracy` in [0, 1].
        model: its name.
        target: PNG to write.
    """
    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    axes = figure.add_subplot()
    by_count = 100 * curve.pivot_table(index="max_train_speakers", columns="speaker", values="accuracy")
    for place, speaker in enumerate(by_count):
        marker, color = _MARKERS[place % len(_MARKERS)], _COLORS[place % len(_COLORS)]
        axes.plot(by_count[speaker], color=color, marker=marker, markersize=3.5, linewidth=0.9, label=speaker)
    axes.plot(by_count.mean(axis=1), color="black", marker="o", linewidth=2.6, label="mean")
    axes.set(xlabel="training speakers", ylabel="accuracy on an unseen speaker, %", title=_TITLES.get(model, model))
    axes.set(xticks=by_count.index, ylim=(None, 100.5))
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    save(figure, target)

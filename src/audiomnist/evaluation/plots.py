"""Plots as PNG files: equal numbers give equal bytes."""

from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from audiomnist.core import atomic

mpl.use("Agg")

BLUE, ORANGE = "#1f5a94", "#d1701f"
_DPI = 110


def plot_confusion_matrix(counts: NDArray[np.int64], title: str, target: Path) -> None:
    """Plot a confusion matrix: counts `(10, 10)`, truth by row, prediction by column."""
    figure = Figure(figsize=(5.6, 5.2), layout="constrained")
    axes = figure.add_subplot()
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(counts):
        if count:
            shade = "white" if shares[row, column] > 0.5 else "black"  # noqa: PLR2004 - half of the row
            axes.text(column, row, str(count), ha="center", va="center", color=shade, fontsize=9)
    axes.set(xticks=range(10), yticks=range(10), xlabel="predicted digit", ylabel="spoken digit", title=title)
    save(figure, target)


def plot_history(epochs: pd.DataFrame, title: str, target: Path) -> None:
    """Plot accuracy by epoch on the training and the test subset."""
    figure = Figure(figsize=(6.4, 4.0), layout="constrained")
    axes = figure.add_subplot()
    marker = "o" if len(epochs) == 1 else None
    axes.plot(epochs["epoch"], 100 * epochs["train_accuracy"], color=BLUE, marker=marker, label="train (augmented)")
    axes.plot(epochs["epoch"], 100 * epochs["test_accuracy"], color=ORANGE, marker=marker, label="test")
    axes.set(xlabel="epoch", ylabel="accuracy, %", title=title, ylim=(0, 102))
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    save(figure, target)


def save(figure: Figure, target: Path) -> None:
    """Write a figure as PNG, atomically."""
    with atomic.replaced_file(target) as temporary:
        figure.savefig(temporary, format="png", dpi=_DPI, metadata={"Software": None})

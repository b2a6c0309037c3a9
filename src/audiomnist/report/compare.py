"""The models side by side on the same test clips, and beside the paper."""

import json
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import pandas as pd

from audiomnist.core import atomic
from audiomnist.core.errors import AudiomnistError
from audiomnist.evaluation import metrics as evaluation

PAPER_TRAIN_ACCURACY = {"cnn": 0.9856, "rnn": 0.9716, "lstm": 0.1462}
PAPER_TEST_ACCURACY = {"cnn": 0.8840, "rnn": 0.6900, "lstm": 0.1462}

_SHOWN = ("accuracy", "accuracy_low", "accuracy_high", "train_accuracy")


class ComparisonError(AudiomnistError):
    """The models were not evaluated on the same clips."""


def compare(predictions: Path, metrics: Path, out: Path) -> None:
    """Write the comparison.

    Args:
        predictions: the folder of test predictions, `<model>.parquet`.
        metrics: the folder of the scores of the same models, `<model>.json`.
        out: JSON: per model its accuracies and the paper's; for each pair the exact McNemar p-value.

    Raises:
        ComparisonError: the files are about different test clips.
    """
    right = _right_by_model([predictions / f"{name}.parquet" for name in PAPER_TEST_ACCURACY])
    scored: dict[str, Any] = {}
    for name in right:
        scored |= json.loads((metrics / f"{name}.json").read_text(encoding="utf-8"))
    pairs = {
        f"{first}_{second}": evaluation.mcnemar_p(right[first].tolist(), right[second].tolist())
        for first, second in combinations(right, 2)
    }
    models = {name: _beside_paper(name, scored[name]) for name in right}
    dataset = next(iter(scored.values()))["dataset"]
    comparison = {"dataset": dataset, **models, "mcnemar_p": evaluation.rounded(pairs)}
    atomic.write_json(out, {"comparison": comparison})


def _right_by_model(predictions: Sequence[Path]) -> dict[str, "pd.Series[bool]"]:
    tables = {path.stem: pd.read_parquet(path).set_index("file").sort_index() for path in predictions}
    first, *others = tables.values()
    if any(not other.index.equals(first.index) for other in others):
        raise ComparisonError("the models were evaluated on different test clips: dvc repro evaluates them again")
    return {name: table["predicted"] == table["digit"] for name, table in tables.items()}


def _beside_paper(name: str, scored: dict[str, Any]) -> dict[str, float]:
    paper = {"paper_accuracy": PAPER_TEST_ACCURACY[name], "paper_train_accuracy": PAPER_TRAIN_ACCURACY[name]}
    return {key: scored[key] for key in _SHOWN} | paper

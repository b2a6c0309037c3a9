"""Comparison of the models on the same test clips, with each other and with the paper."""

import json
from itertools import combinations
from pathlib import Path

import pandas as pd

from audiomnist.core import atomic
from audiomnist.core.errors import AudiomnistError
from audiomnist.evaluation.metrics import mcnemar_p, rounded
from audiomnist.evaluation.names import TITLES

_PAPER = {
    "cnn": {"paper_accuracy": 0.8840, "paper_train_accuracy": 0.9856},
    "rnn": {"paper_accuracy": 0.6900, "paper_train_accuracy": 0.9716},
    "lstm": {"paper_accuracy": 0.1462, "paper_train_accuracy": 0.1462},
}
_OWN = ("accuracy", "accuracy_low", "accuracy_high", "train_accuracy")


class ComparisonError(AudiomnistError):
    """The models were not evaluated on the same clips."""


def compare(predictions: Path, evaluations: Path, out: Path) -> None:
    """Write a JSON with each model's accuracies, the paper's if any, and the exact McNemar p-value of each pair.

    `predictions` is the folder of the test predictions, `<model>.parquet`, and `evaluations` that of the reports of
    `evaluate`, `<model>.json`.

    Raises:
        ComparisonError: the test clips of the models differ.
    """
    tables = {name: pd.read_parquet(predictions / f"{name}.parquet").set_index("file").sort_index() for name in TITLES}
    files = tables["cnn"].index
    if not all(table.index.equals(files) for table in tables.values()):
        raise ComparisonError("the models were evaluated on different test clips: dvc repro evaluates them again")
    right = {name: table["predicted"] == table["digit"] for name, table in tables.items()}
    p_values = {f"{one}_{other}": mcnemar_p(right[one], right[other]) for one, other in combinations(TITLES, 2)}
    scores = {name: json.loads((evaluations / f"{name}.json").read_text(encoding="utf-8"))[name] for name in TITLES}
    models = {name: {key: scores[name][key] for key in _OWN} | _PAPER.get(name, {}) for name in TITLES}
    comparison = {"dataset": scores["cnn"]["dataset"], **models, "mcnemar_p": rounded(p_values)}
    atomic.write_json(out, {"comparison": comparison})

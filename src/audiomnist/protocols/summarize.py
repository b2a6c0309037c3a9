"""The report of each protocol: the models on the same clips of the same splits.

Every protocol reads a folder of test predictions, `<model>.parquet`, as `cross_validate` writes them.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from statistics import fmean
from typing import Any

import pandas as pd

from audiomnist.core import atomic, params
from audiomnist.corpus.protocol_splits import BootstrapParams
from audiomnist.evaluation import metrics
from audiomnist.evaluation.names import TITLES
from audiomnist.protocols import plots
from audiomnist.protocols.predictions import CLIP, ProtocolError, read, require_every_speaker, right_by_model

_MODELS = [*TITLES, "linear"]


@dataclass(frozen=True)
class Report:
    """What is written.

    Attributes:
        metrics: JSON.
        table: CSV, for the protocols that have one.
        plot: PNG, for the protocols that have one.
    """

    metrics: Path
    table: Path | None = None
    plot: Path | None = None


def summarize(protocol: str, predictions: Sequence[Path], parameters: Path, out: Report) -> None:
    """Write the report of a protocol.

    Args:
        protocol: `random`, `official`, `unseen` or `learning-curve`.
        predictions: the protocol's folder of predictions; for the learning curve that of `unseen` too, where all other
            speakers train the model.
        parameters: params.yaml, for the section `protocols.bootstrap`.
        out: what is written.

    Raises:
        ProtocolError: predictions cannot be read or compared.
    """
    writers: dict[str, Callable[[], None]] = {
        "random": lambda: random(read(predictions, _MODELS), out),
        "official": lambda: official(read(predictions, _MODELS), out),
        "unseen": lambda: unseen(
            read(predictions, _MODELS), params.section(parameters, "protocols.bootstrap", BootstrapParams), out
        ),
        "learning-curve": lambda: learning_curve(read(predictions, ["cnn"]), out),
    }
    writers[protocol]()


def unseen(clips: pd.DataFrame, bootstrap: BootstrapParams, out: Report) -> None:
    """Write how the models do on unseen speakers, each held out in turn.

    The intervals say what other clips of these speakers might have given; of other speakers they say nothing.

    The JSON has per model the `mean` of the speakers' accuracies with its bootstrap interval (`mean_low`,
    `mean_high`), the `worst` of them, `ece` and `macro_f1` over all clips, and `speaker.<name>`. Per pair of models
    `difference.<pair>`: the `mean` over speakers, first less second, with its bootstrap interval (`low`, `high`), and
    the exact `mcnemar_p` over all clips. The table: `model`, `speaker`, `accuracy` with its Wilson interval, `clips`.
    """
    right = right_by_model(clips, CLIP)
    groups = [rows.to_numpy() for _, rows in right.groupby("speaker")]
    drawn = metrics.resampled_accuracies(groups, bootstrap.resamples, bootstrap.seed)
    resampled = pd.DataFrame(drawn, columns=right.columns)
    models = {model: _over_speakers(rows, resampled[model]) for model, rows in _by_model(clips)}
    apart = {
        pair: _apart(right, first, second, resampled[first] - resampled[second])
        for pair, first, second in _pairs(right)
    }
    atomic.write_json(out.metrics, metrics.rounded({**models, "difference": apart}))
    accuracies = _accuracies(right, "speaker")
    _write_csv(accuracies, out.table)
    if out.plot:
        plots.unseen(accuracies, models, out.plot)


def random(clips: pd.DataFrame, out: Report) -> None:
    """Write how the models do on several random splits.

    There is no test over all splits: a clip recurs among the test clips of several, and a test would take its
    recurrences for independent.

    The JSON has per model `mean`, `lowest` and `highest` of the splits' accuracies, the mean `ece`, and
    `seed.<seed>`. Per pair of models `difference.<pair>`: the `mean` over the splits, first less second, and
    `mcnemar_p.seed_<seed>`, the exact McNemar p-value of one split. The table: `model`, `seed`, `accuracy` with its
    Wilson interval, `clips`.
    """
    right = right_by_model(clips, ["seed", *CLIP])
    require_every_speaker(right, "seed")
    models = {model: _over_seeds(rows) for model, rows in _by_model(clips)}
    apart = {pair: _apart_by_seed(right, first, second) for pair, first, second in _pairs(right)}
    atomic.write_json(out.metrics, metrics.rounded({**models, "difference": apart}))
    _write_csv(_accuracies(right, "seed"), out.table)


def official(clips: pd.DataFrame, out: Report) -> None:
    """Write how the models do on upstream's own split, of which takes 0 to 4 are the test part.

    The JSON has per model its scores (see `metrics.scores`). Per pair of models `difference.<pair>`: of `accuracy`,
    first less second, and the exact `mcnemar_p`.
    """
    right = right_by_model(clips, CLIP)
    models = {model: metrics.scores(rows) for model, rows in _by_model(clips)}
    accuracy = right.mean()
    apart = {
        pair: {"accuracy": accuracy[first] - accuracy[second], "mcnemar_p": _mcnemar_p(right, first, second)}
        for pair, first, second in _pairs(right)
    }
    atomic.write_json(out.metrics, metrics.rounded({**models, "difference": apart}))


def learning_curve(clips: pd.DataFrame, out: Report) -> None:
    """Write the accuracy of one model on an unseen speaker, by the number of speakers that train it.

    The JSON has under the model's name `speakers_<count>` with `mean` and `worst` of the accuracies, and
    `speaker.<name>`. The table: `max_train_speakers`, `speaker`, `accuracy`.

    Raises:
        ProtocolError: the predictions are of several models, or lack a speaker for some count.
    """
    all_others = clips["speaker"].nunique() - 1
    clips = clips.assign(max_train_speakers=clips["max_train_speakers"].fillna(all_others).astype(int))
    right = right_by_model(clips, ["max_train_speakers", *CLIP])
    require_every_speaker(right, "max_train_speakers")
    if len(right.columns) > 1:
        raise ProtocolError(
            f"a learning curve is of one model, and there are predictions of {', '.join(right.columns)}"
        )
    curve = _accuracies(right, "max_train_speakers", "speaker")
    counts = {f"speakers_{count}": _over_curve(rows) for count, rows in curve.groupby("max_train_speakers")}
    atomic.write_json(out.metrics, metrics.rounded({right.columns[0]: counts}))
    _write_csv(curve[["max_train_speakers", "speaker", "accuracy"]], out.table)
    if out.plot:
        plots.learning_curve(curve, out.plot)


def _by_model(clips: pd.DataFrame) -> Iterable[tuple[str, pd.DataFrame]]:
    return ((str(model), rows) for model, rows in clips.groupby("model", sort=False))


def _pairs(right: pd.DataFrame) -> list[tuple[str, str, str]]:
    return [(f"{first}_{second}", first, second) for first, second in combinations(right.columns, 2)]


def _over_speakers(rows: pd.DataFrame, resampled: "pd.Series[float]") -> dict[str, Any]:
    scored = metrics.scores(rows)
    shares = scored["speaker"]
    low, high = metrics.percentile_interval(resampled.to_numpy())
    spread = {"mean": fmean(shares.values()), "worst": min(shares.values()), "mean_low": low, "mean_high": high}
    return spread | {"ece": scored["ece"], "macro_f1": scored["macro_f1"], "speaker": shares}


def _over_seeds(rows: pd.DataFrame) -> dict[str, Any]:
    scored = {str(seed): metrics.scores(of_seed) for seed, of_seed in rows.groupby("seed")}
    shares = {seed: of_seed["accuracy"] for seed, of_seed in scored.items()}
    spread = {"mean": fmean(shares.values()), "lowest": min(shares.values()), "highest": max(shares.values())}
    return spread | {"ece": fmean(of_seed["ece"] for of_seed in scored.values()), "seed": shares}


def _over_curve(rows: pd.DataFrame) -> dict[str, Any]:
    shares = dict(zip(rows["speaker"], rows["accuracy"], strict=True))
    return {"mean": fmean(shares.values()), "worst": min(shares.values()), "speaker": shares}


def _apart(right: pd.DataFrame, first: str, second: str, resampled: "pd.Series[float]") -> dict[str, float]:
    low, high = metrics.percentile_interval(resampled.to_numpy())
    gap = _mean_gap(right, first, second, "speaker")
    return {"mean": gap, "low": low, "high": high, "mcnemar_p": _mcnemar_p(right, first, second)}


def _apart_by_seed(right: pd.DataFrame, first: str, second: str) -> dict[str, Any]:
    p_values = {f"seed_{seed}": _mcnemar_p(rows, first, second) for seed, rows in right.groupby("seed")}
    return {"mean": _mean_gap(right, first, second, "seed"), "mcnemar_p": p_values}


def _mean_gap(right: pd.DataFrame, first: str, second: str, by: str) -> float:
    accuracies = right.groupby(by).mean()
    return float((accuracies[first] - accuracies[second]).mean())


def _mcnemar_p(right: pd.DataFrame, first: str, second: str) -> float:
    return metrics.mcnemar_p(right[first].tolist(), right[second].tolist())


def _accuracies(right: pd.DataFrame, *by: str) -> pd.DataFrame:
    """Return `model`, the columns of `by`, `accuracy` with its Wilson interval, and `clips`: one row per group."""
    return pd.DataFrame(
        {"model": model, **dict(zip(by, group, strict=True)), **_accuracy(hits.tolist())}
        for model in right
        for group, hits in right[model].groupby(list(by))
    )


def _accuracy(hits: list[bool]) -> dict[str, float]:
    low, high = metrics.wilson_interval(sum(hits), len(hits))
    return {"accuracy": sum(hits) / len(hits), "accuracy_low": low, "accuracy_high": high, "clips": len(hits)}


def _write_csv(table: pd.DataFrame, target: Path | None) -> None:
    if target:
        atomic.write_text(target, table.round(6).to_csv(index=False, lineterminator="\n"))

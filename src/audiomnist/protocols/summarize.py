"""The models side by side in the longer protocols: unseen speakers, several random splits, upstream's own split.

Every protocol reads test predictions as Parquet, a file per split and model: `<split>/<model>.parquet`. The models of a
protocol are compared on the same clips of the same splits, or not at all.
"""

from collections.abc import Iterable, Sequence
from itertools import combinations
from pathlib import Path
from statistics import fmean
from typing import Any

import pandas as pd

from audiomnist.core import atomic
from audiomnist.corpus.protocol_splits import BootstrapParams
from audiomnist.evaluation import metrics
from audiomnist.protocols import plots
from audiomnist.protocols.predictions import CLIP, ProtocolError, read, require_every_speaker, right_by_model


def unseen(predictions: Sequence[Path], how: BootstrapParams, out: Path, plot: Path, table: Path) -> None:
    """Write how the models do on speakers of whom they heard nothing, each left out in turn.

    The intervals tell what other clips of these speakers might have given; of other speakers they say nothing.

    Args:
        predictions: `unseen_<speaker>/<model>.parquet`.
        how: the bootstrap.
        out: JSON. Per model the `mean` of the speakers' accuracies with its bootstrap interval (`mean_low`,
            `mean_high`), the `worst` of them, the mean of the graphs as they were trained, before they were compiled
            (`mean_as_trained`), `ece` and `macro_f1` over all clips, and `speaker.<name>`. Per pair of models
            `difference.<pair>`: the `mean` over speakers, first less second, with its bootstrap interval (`low`,
            `high`), and the exact `mcnemar_p` over all clips.
        plot: PNG of the accuracies.
        table: CSV of `model`, `speaker`, `accuracy` with its Wilson interval, and `clips`.

    Raises:
        ProtocolError: predictions cannot be read or compared.
    """
    clips = read(predictions, "unseen_<speaker>")
    right = right_by_model(clips, CLIP)
    groups = [rows.to_numpy() for _, rows in right.groupby("speaker")]
    drawn = metrics.resampled_accuracies(groups, how.resamples, how.seed)
    resampled = pd.DataFrame(drawn, columns=right.columns)
    models = {model: _over_speakers(rows, resampled[model]) for model, rows in _by_model(clips)}
    apart = {
        pair: _apart(right, first, second, resampled[first] - resampled[second])
        for pair, first, second in _pairs(right)
    }
    atomic.write_json(out, metrics.rounded({**models, "difference": apart}))
    accuracies = _accuracies(right, "speaker")
    _write_csv(accuracies, table)
    plots.unseen(accuracies, models, plot)


def seeds(predictions: Sequence[Path], out: Path, table: Path) -> None:
    """Write how the models do on several random splits.

    There is no test over all splits: a clip recurs among the test clips of several, and a test would take its
    recurrences for independent.

    Args:
        predictions: `random_<seed>/<model>.parquet`.
        out: JSON. Per model `mean`, `lowest` and `highest` of the splits' accuracies, the mean of the graphs as they
            were trained, before they were compiled (`mean_as_trained`), the mean `ece`, and `seed.<seed>`. Per pair of
            models `difference.<pair>`: the `mean` over the splits, first less second, and `mcnemar_p.seed_<seed>`, the
            exact McNemar p-value of one split.
        table: CSV of `model`, `seed`, `accuracy` with its Wilson interval, and `clips`.

    Raises:
        ProtocolError: predictions cannot be read or compared.
    """
    clips = read(predictions, "random_<seed>")
    clips["seed"] = clips["seed"].astype(int)
    right = right_by_model(clips, ["seed", *CLIP])
    require_every_speaker(right, "seed")
    models = {model: _over_seeds(rows) for model, rows in _by_model(clips)}
    apart = {pair: _apart_by_seed(right, first, second) for pair, first, second in _pairs(right)}
    atomic.write_json(out, metrics.rounded({**models, "difference": apart}))
    _write_csv(_accuracies(right, "seed"), table)


def official(predictions: Sequence[Path], out: Path) -> None:
    """Write how the models do on upstream's own split, of which takes 0 to 4 are the test.

    Args:
        predictions: `official/<model>.parquet`.
        out: JSON. Per model its scores (see `evaluation.scores`) and `accuracy_as_trained`. Per pair of models
            `difference.<pair>`: of `accuracy`, first less second, and the exact `mcnemar_p`.

    Raises:
        ProtocolError: predictions cannot be read or compared.
    """
    clips = read(predictions, "official")
    right = right_by_model(clips, CLIP)
    models = {
        model: metrics.scores(rows) | {"accuracy_as_trained": float(rows["right_as_trained"].mean())}
        for model, rows in _by_model(clips)
    }
    accuracy = right.mean()
    apart = {
        pair: {"accuracy": accuracy[first] - accuracy[second], "mcnemar_p": _mcnemar_p(right, first, second)}
        for pair, first, second in _pairs(right)
    }
    atomic.write_json(out, metrics.rounded({**models, "difference": apart}))


def learning_curve(predictions: Sequence[Path], out: Path, table: Path, plot: Path) -> None:
    """Write how well a model knows an unseen speaker, the more speakers train it.

    Args:
        predictions: of one model: `heard_<count>_<speaker>/<model>.parquet` where `count` others trained it, and
            `unseen_<speaker>/<model>.parquet` where all others did.
        out: JSON, under the model's name: `speakers_<count>` with `mean` and `worst` of the accuracies, and
            `speaker.<name>`.
        table: CSV of `training_speakers`, `speaker` and `accuracy`.
        plot: PNG of the same.

    Raises:
        ProtocolError: predictions cannot be read, are of several models, or lack a speaker for some count.
    """
    clips = read(predictions, "unseen_<speaker>", "heard_<training_speakers>_<speaker>")
    all_others = clips["speaker"].nunique() - 1
    clips["training_speakers"] = clips["training_speakers"].fillna(all_others).astype(int)
    right = right_by_model(clips, ["training_speakers", *CLIP])
    require_every_speaker(right, "training_speakers")
    if len(right.columns) > 1:
        raise ProtocolError(
            f"a learning curve is of one model, and there are predictions of {', '.join(right.columns)}"
        )
    curve = _accuracies(right, "training_speakers", "speaker")
    counts = {f"speakers_{count}": _over_curve(rows) for count, rows in curve.groupby("training_speakers")}
    atomic.write_json(out, metrics.rounded({right.columns[0]: counts}))
    _write_csv(curve[["training_speakers", "speaker", "accuracy"]], table)
    plots.learning_curve(curve, plot)


def _by_model(clips: pd.DataFrame) -> Iterable[tuple[str, pd.DataFrame]]:
    return ((str(model), rows) for model, rows in clips.groupby("model", sort=False))


def _pairs(right: pd.DataFrame) -> list[tuple[str, str, str]]:
    return [(f"{first}_{second}", first, second) for first, second in combinations(right.columns, 2)]


def _over_speakers(rows: pd.DataFrame, resampled: "pd.Series[float]") -> dict[str, Any]:
    scored = metrics.scores(rows)
    shares = scored["speaker"]
    low, high = metrics.percentile_interval(resampled.to_numpy())
    spread = {"mean": fmean(shares.values()), "worst": min(shares.values()), "mean_low": low, "mean_high": high}
    as_trained = {"mean_as_trained": _mean_as_trained(rows, "speaker")}
    return spread | as_trained | {"ece": scored["ece"], "macro_f1": scored["macro_f1"], "speaker": shares}


def _over_seeds(rows: pd.DataFrame) -> dict[str, Any]:
    scored = {str(seed): metrics.scores(of_seed) for seed, of_seed in rows.groupby("seed")}
    shares = {seed: of_seed["accuracy"] for seed, of_seed in scored.items()}
    spread = {"mean": fmean(shares.values()), "lowest": min(shares.values()), "highest": max(shares.values())}
    as_trained = {"mean_as_trained": _mean_as_trained(rows, "seed")}
    return spread | as_trained | {"ece": fmean(of_seed["ece"] for of_seed in scored.values()), "seed": shares}


def _mean_as_trained(rows: pd.DataFrame, by: str) -> float:
    return float(rows.groupby(by)["right_as_trained"].mean().mean())


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


def _write_csv(table: pd.DataFrame, target: Path) -> None:
    atomic.write_text(target, table.round(6).to_csv(index=False, lineterminator="\n"))

"""Report of each protocol: the models compared on the same clips of the same splits."""

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
from audiomnist.protocols.predictions import CLIP, read, require_every_speaker, right_by_model

_MODELS = [*TITLES, "linear"]
_CURVE_MODEL = "cnn"
_HEADLINE = ("mean", "worst")


def summarize(
    protocol: str,
    predictions: list[Path],
    parameters: Path,
    out: Path,
    table: Path | None = None,
    plot: Path | None = None,
    headline: Path | None = None,
) -> None:
    """Write the report of a protocol.

    Args:
        protocol: `random`, `official`, `unseen` or `learning-curve`.
        predictions: the protocol's folder of predictions, `<model>.parquet`; for the learning curve that of `unseen`
            too, where all other speakers train the model.
        parameters: params.yaml, for the section `protocols.bootstrap`.
        out: JSON to write.
        table: CSV to write, not for `official`.
        plot: PNG to write, for `unseen` and `learning-curve`.
        headline: JSON to write, for `unseen`: `mean` and `worst` of each network, under `unseen`.

    Raises:
        ProtocolError: predictions cannot be read or compared.
    """
    accuracies = pd.DataFrame()
    if protocol == "learning-curve":
        report, accuracies = learning_curve(read(predictions, [_CURVE_MODEL]))
        if plot:
            plots.plot_learning_curve(accuracies, _CURVE_MODEL, plot)
    elif protocol == "unseen":
        bootstrap = params.section(parameters, "protocols.bootstrap", BootstrapParams)
        report, accuracies = unseen(read(predictions, _MODELS), bootstrap)
        if plot:
            plots.plot_unseen(accuracies, report, plot)
        if headline:
            compared = {model: {key: report[model][key] for key in _HEADLINE} for model in TITLES}
            atomic.write_json(headline, {"unseen": metrics.rounded(compared)})
    elif protocol == "random":
        report, accuracies = random(read(predictions, _MODELS))
    else:
        report = official(read(predictions, _MODELS))
    atomic.write_json(out, metrics.rounded(report))
    if table:
        atomic.write_text(table, accuracies.round(6).to_csv(index=False, lineterminator="\n"))


def unseen(clips: pd.DataFrame, bootstrap: BootstrapParams) -> tuple[dict[str, Any], pd.DataFrame]:
    """Return the report and the accuracies on unseen speakers, each held out in turn.

    The report has per model the `mean` of the speakers' accuracies with its bootstrap interval (`mean_low`,
    `mean_high`), the `worst` of them, `ece` and `macro_f1` over all clips, `speaker.<name>`, and of a cascade `asked`,
    the share of clips for which the second model was asked, as in the other reports. Per pair of models
    `difference.<pair>`: the `mean` over speakers, first less second, with its bootstrap interval (`low`, `high`), and
    the exact `mcnemar_p` over all clips. The intervals cover other clips of these speakers, not other speakers.

    The table: `model`, `speaker`, `accuracy` with its Wilson interval, `clips`.
    """
    right = right_by_model(clips, CLIP)
    groups = [rows.to_numpy() for _, rows in right.groupby("speaker")]
    drawn = metrics.resampled_accuracies(groups, bootstrap.resamples, bootstrap.seed)
    resampled = pd.DataFrame(drawn, columns=right.columns)
    report: dict[str, Any] = {}
    for model, rows in clips.groupby("model", sort=False):
        scores = metrics.scores(rows)
        mean, worst = fmean(scores["speaker"].values()), min(scores["speaker"].values())
        low, high = metrics.percentile_interval(resampled[model].to_numpy())
        summary = {"mean": mean, "worst": worst, "mean_low": low, "mean_high": high}
        report[str(model)] = summary | {key: scores[key] for key in ("ece", "macro_f1", "speaker")} | _asked(rows)
    report["difference"] = {}
    for first, second in combinations(right.columns, 2):
        mean = report[first]["mean"] - report[second]["mean"]
        low, high = metrics.percentile_interval((resampled[first] - resampled[second]).to_numpy())
        p_value = metrics.mcnemar_p(right[first], right[second])
        report["difference"][f"{first}_{second}"] = {"mean": mean, "low": low, "high": high, "mcnemar_p": p_value}
    return report, _accuracies(right, "speaker")


def random(clips: pd.DataFrame) -> tuple[dict[str, Any], pd.DataFrame]:
    """Return the report and the accuracies on random splits.

    The report has per model `mean`, `lowest` and `highest` of the splits' accuracies, the mean `ece`, and
    `seed.<seed>`. Per pair of models `difference.<pair>`: the `mean` over the splits, first less second, and
    `mcnemar_p.seed_<seed>`, the exact McNemar p-value of one split. There is no p-value over all splits: their test
    subsets share clips, so they are not independent.

    The table: `model`, `seed`, `accuracy` with its Wilson interval, `clips`.
    """
    right = right_by_model(clips, ["seed", *CLIP])
    require_every_speaker(right, "seed")
    report: dict[str, Any] = {}
    for model, rows in clips.groupby("model", sort=False):
        scores = {str(seed): metrics.scores(split) for seed, split in rows.groupby("seed")}
        accuracies = {seed: split["accuracy"] for seed, split in scores.items()}
        report[str(model)] = {
            "mean": fmean(accuracies.values()),
            "lowest": min(accuracies.values()),
            "highest": max(accuracies.values()),
            "ece": fmean(split["ece"] for split in scores.values()),
            "seed": accuracies,
        } | _asked(rows)
    report["difference"] = {}
    by_seed = right.groupby("seed")
    for first, second in combinations(right.columns, 2):
        p_values = {f"seed_{seed}": metrics.mcnemar_p(rows[first], rows[second]) for seed, rows in by_seed}
        mean = report[first]["mean"] - report[second]["mean"]
        report["difference"][f"{first}_{second}"] = {"mean": mean, "mcnemar_p": p_values}
    return report, _accuracies(right, "seed")


def official(clips: pd.DataFrame) -> dict[str, Any]:
    """Return the report on upstream's own split, where takes 0 to 4 are the test subset.

    It has per model its scores (see `metrics.scores`). Per pair of models `difference.<pair>`: of `accuracy`, first
    less second, and the exact `mcnemar_p`.
    """
    right = right_by_model(clips, CLIP)
    by_model = clips.groupby("model", sort=False)
    report: dict[str, Any] = {str(model): metrics.scores(rows) | _asked(rows) for model, rows in by_model}
    report["difference"] = {}
    for first, second in combinations(right.columns, 2):
        difference = report[first]["accuracy"] - report[second]["accuracy"]
        p_value = metrics.mcnemar_p(right[first], right[second])
        report["difference"][f"{first}_{second}"] = {"accuracy": difference, "mcnemar_p": p_value}
    return report


def learning_curve(clips: pd.DataFrame) -> tuple[dict[str, Any], pd.DataFrame]:
    """Return the report and the accuracies of one model on each speaker, held out, by the number of training speakers.

    The report has under the model's name `speakers_<count>` with `mean` and `worst` of the accuracies, and
    `speaker.<name>`. The table: `max_train_speakers`, `speaker`, `accuracy`.
    """
    all_others = clips["speaker"].nunique() - 1
    clips = clips.assign(max_train_speakers=clips["max_train_speakers"].fillna(all_others).astype(int))
    right = right_by_model(clips, ["max_train_speakers", *CLIP])
    require_every_speaker(right, "max_train_speakers")
    curve = _accuracies(right, "max_train_speakers", "speaker")
    report = {
        f"speakers_{count}": {
            "mean": fmean(rows["accuracy"]),
            "worst": min(rows["accuracy"]),
            "speaker": dict(zip(rows["speaker"], rows["accuracy"], strict=True)),
        }
        for count, rows in curve.groupby("max_train_speakers")
    }
    return {right.columns[0]: report}, curve[["max_train_speakers", "speaker", "accuracy"]]


def _asked(predictions: pd.DataFrame) -> dict[str, float]:
    """Return under `asked` for which share of the clips a cascade asked its second model; nothing for other models."""
    asked = predictions.get("asked")
    return {} if asked is None or asked.isna().all() else {"asked": float(asked.mean())}


def _accuracies(right: pd.DataFrame, *by: str) -> pd.DataFrame:
    """Return a row per model and group: `model`, the columns of `by`, `accuracy` with its Wilson interval, `clips`."""
    rows = []
    for model in right:
        for group, hits in right[model].groupby(list(by)):
            low, high = metrics.wilson_interval(int(hits.sum()), len(hits))
            interval = {"accuracy": hits.mean(), "accuracy_low": low, "accuracy_high": high}
            rows.append({"model": model, **dict(zip(by, group, strict=True)), **interval, "clips": len(hits)})
    return pd.DataFrame(rows)

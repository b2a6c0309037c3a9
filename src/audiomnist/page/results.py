"""Section 1: accuracies beside the paper's, paired tests, accuracy against cost."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

from audiomnist.evaluation.names import TITLES
from audiomnist.page import charts
from audiomnist.page.components import Chart, Table
from audiomnist.page.inputs import COST_COMMAND, PROTOCOLS_COMMAND, Reports
from audiomnist.page.text import interval, p_value, percent, points

_ONE = "one model"
_BESIDE = 2
_LEAST_ERROR = 0.001
_RANDOM, _UNSEEN, _PAPER = "random split", "unseen speakers", "paper, random split"


def section(reports: Reports) -> dict[str, Any]:
    """Return the tables and charts of the results."""
    comparison = reports.required("comparison.json")["comparison"]
    random = reports.json("random.json", PROTOCOLS_COMMAND) or {}
    official = reports.json("official.json", PROTOCOLS_COMMAND) or {}
    unseen = reports.json("unseen.json", PROTOCOLS_COMMAND) or {}
    return {
        "beside_paper": _beside_paper(comparison),
        "by_protocol": _by_protocol(random, official, unseen),
        "errors": _errors(comparison, unseen),
        "pairs": _pairs(comparison["mcnemar_p"], unseen.get("difference", {})),
        "cost": _cost(reports, unseen),
        "missing": reports.notes("random.json", "official.json", "unseen.json", "cost.json", "plots/cascade"),
    }


def _beside_paper(comparison: Mapping[str, Any]) -> Table:
    head = ("model", "test", "95% interval", "train", "paper: test", "paper: train")
    rows = [
        (
            title,
            percent(scores["accuracy"]),
            interval(scores["accuracy_low"], scores["accuracy_high"]),
            *(_share(scores, key) for key in ("train_accuracy", "paper_accuracy", "paper_train_accuracy")),
        )
        for model, title in TITLES.items()
        if (scores := comparison[model])
    ]
    return Table("Accuracy on a random split, beside the paper's", head, rows)


def _by_protocol(random: Mapping[str, Any], official: Mapping[str, Any], unseen: Mapping[str, Any]) -> Table | None:
    if not (random or official or unseen):
        return None
    seeds = len(random["cnn"]["seed"]) if random else "several"
    head = (
        "model",
        f"{seeds} random splits",
        "range",
        "takes 0 to 4",
        "unseen speakers",
        "95% interval",
        "worst speaker",
    )
    rows = []
    for model in (*TITLES, "linear"):
        known, other, new = (report.get(model, {}) for report in (random, official, unseen))
        rows.append(
            (
                charts.title_of(model),
                _share(known, "mean"),
                interval(known["lowest"], known["highest"]) if known else "-",
                _share(other, "accuracy"),
                _share(new, "mean"),
                interval(new["mean_low"], new["mean_high"]) if new else "-",
                _share(new, "worst"),
            )
        )
    return Table("Mean accuracy by protocol", head, rows)


def _share(scores: Mapping[str, float], key: str) -> str:
    return percent(scores[key]) if key in scores else "-"


def _errors(comparison: Mapping[str, Any], unseen: Mapping[str, Any]) -> Chart:
    rows: list[dict[str, Any]] = []
    for model, title in TITLES.items():
        scores = comparison[model]
        rows.append(_error(title, _RANDOM, *(scores[key] for key in ("accuracy", "accuracy_low", "accuracy_high"))))
        if model in unseen:
            rows.append(_error(title, _UNSEEN, *(unseen[model][key] for key in ("mean", "mean_low", "mean_high"))))
        if "paper_accuracy" in scores:
            rows.append(_error(title, _PAPER, scores["paper_accuracy"]))
    kinds = [kind for kind in (_RANDOM, _UNSEEN, _PAPER) if any(row["kind"] == kind for row in rows)]
    label = "Error rate of each model: " + "; ".join(
        f"{row['model']}, {row['kind']}, {percent(row['error'])}" for row in rows
    )
    return Chart("errors", "Error rates, with 95% intervals; left is better", label, charts.error_rates(rows, kinds))


def _error(
    title: str, kind: str, accuracy: float, low: float | None = None, high: float | None = None
) -> dict[str, Any]:
    """Return a row of the chart; its scale begins at an error rate of 0.1%."""
    row: dict[str, Any] = {"model": title, "kind": kind, "error": max(round(1 - accuracy, 6), _LEAST_ERROR)}
    if low is not None and high is not None:
        row |= {"low": max(round(1 - high, 6), _LEAST_ERROR), "high": max(round(1 - low, 6), _LEAST_ERROR)}
    return row


def _pairs(known: Mapping[str, float], unseen: Mapping[str, Any]) -> Table:
    rows = []
    for first, second in combinations(TITLES, 2):
        new = unseen.get(f"{first}_{second}")
        p = known[f"{first}_{second}"]
        rows.append(
            (
                f"{TITLES[first]} / {TITLES[second]}",
                p_value(p),
                points(new["mean"]) if new else "-",
                f"{points(new['low'])} to {points(new['high'])}" if new else "-",
                p_value(new["mcnemar_p"]) if new else "-",
            )
        )
    head = ("pair", "random split: p", "unseen speakers: difference in points", "95% interval", "unseen speakers: p")
    return Table("Pairs of models on the same clips, first less second; exact McNemar tests", head, rows)


def _cost(reports: Reports, unseen: Mapping[str, Any]) -> Chart | None:
    """Return accuracy on unseen speakers against speed: a cascade costs its first model, and its second for some."""
    costs = reports.json("cost.json", COST_COMMAND)
    thresholds = reports.csv("plots/cascade/unseen.csv", PROTOCOLS_COMMAND, dtype={"threshold": str})
    if costs is None or thresholds is None or not unseen:
        return None
    rows = [
        {"name": TITLES[model], "kind": _ONE, "accuracy": unseen[model]["mean"], "ms": costs[model]["cpu_ms"]}
        for model in TITLES
        if model != "cascade"
    ]
    for row in thresholds.itertuples():
        milliseconds = costs["cnn"]["cpu_ms"] + row.asked * costs["whisper"]["cpu_ms"]
        rows.append(
            {"name": row.threshold, "kind": "cascade, by threshold", "accuracy": row.accuracy, "ms": milliseconds}
        )
    rows = [{**row, "files_per_s": round(1000 / row.pop("ms"), 1)} for row in rows]
    cascade = sorted(row["files_per_s"] for row in rows if row["kind"] != _ONE)
    rows = [{**row, "is_above": _is_above(row, rows, cascade)} for row in rows]
    label = "Accuracy on unseen speakers and files per second: " + "; ".join(
        f"{row['name']} {percent(row['accuracy'])} at {row['files_per_s']:,.0f}" for row in rows
    )
    table = Table(
        "Accuracy on unseen speakers and speed",
        ("model, or threshold of the cascade", "accuracy", "files per second and core"),
        [(row["name"], percent(row["accuracy"]), f"{row['files_per_s']:,.0f}") for row in rows],
    )
    machine = costs["machine"]["cpu"]
    return Chart("cost", f"Accuracy against speed on one core ({machine})", label, charts.cost(rows), table)


def _is_above(row: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], cascade: Sequence[float]) -> bool:
    """Return whether a name is written above its point: every other of the cascade, not beside a better model."""
    if row["kind"] != _ONE:
        return cascade.index(row["files_per_s"]) % 2 == 0
    beside = [other for other in rows if 1 / _BESIDE < other["files_per_s"] / row["files_per_s"] < _BESIDE]
    return all(row["accuracy"] >= other["accuracy"] for other in beside)

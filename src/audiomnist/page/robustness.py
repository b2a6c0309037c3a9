"""Section 3: disturbed recordings, calibration, sounds that are no digits."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from audiomnist.core.digits import PROBABILITIES
from audiomnist.evaluation.metrics import expected_calibration_error, wilson_interval
from audiomnist.evaluation.names import TITLES
from audiomnist.page import charts
from audiomnist.page.components import Cell, Chart, Table
from audiomnist.page.inputs import PROTOCOLS_COMMAND, Reports
from audiomnist.page.text import interval, percent

# The bins of the expected calibration error.
BINS = 15
_NOISES = ("white", "pink", "babble")


def section(reports: Reports, predictions: Mapping[str, pd.DataFrame]) -> dict[str, Any]:
    """Return the tables and charts."""
    found = {model: reports.json(f"robustness/{model}.json", PROTOCOLS_COMMAND) for model in TITLES}
    measured = {model: report[model] for model, report in found.items() if report is not None}
    unseen = {model: reports.parquet(f"protocols/unseen/{model}.parquet", PROTOCOLS_COMMAND) for model in TITLES}
    return {
        "conditions": _conditions(measured) if measured else None,
        "noises": [_noise(measured, noise) for noise in _NOISES if _has_noise(measured, noise)],
        "ood": _ood(measured) if measured else None,
        "reliability": [
            _reliability(model, predictions[model], "test clips")
            if (table := unseen[model]) is None
            else _reliability(model, table, "unseen speakers")
            for model in TITLES
        ],
        "missing": reports.notes("robustness", "protocols/unseen"),
    }


def conditions_of(
    report: Mapping[str, Any], kinds: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Mapping[str, float]]]:
    """Yield each condition, as the keys that lead to it, with its scores."""
    for key, value in report.items():
        if key == "ood":
            continue
        if "accuracy" in value:
            yield (*kinds, key), value
        else:
            yield from conditions_of(value, (*kinds, key))


def shown(keys: tuple[str, ...]) -> str:
    """Return a condition in words.

    >>> shown(("noise", "white", "snr_10_db")), shown(("level", "plus_6_db")), shown(("speed", "1_25"))
    ('white noise: SNR 10 dB', 'level: +6 dB', 'speed: 1.25')
    """
    *kinds, strength = keys
    strength = re.sub(r"(?<=\d)_(?=\d)", ".", strength)
    for written, meant in (
        ("minus_", "\N{MINUS SIGN}"),
        ("plus_", "+"),
        ("snr_", "SNR "),
        ("_db", " dB"),
        ("_hz", " Hz"),
        ("_", " "),
    ):
        strength = strength.replace(written, meant)
    return ": ".join(filter(None, (" ".join(reversed(kinds)), strength)))


def _conditions(measured: Mapping[str, Any]) -> Table:
    by_model = {model: dict(conditions_of(report)) for model, report in measured.items()}
    conditions = list(dict.fromkeys(keys for leaves in by_model.values() for keys in leaves))
    rows = [
        (shown(keys), *(_tinted(leaves[keys]["accuracy"]) if keys in leaves else "-" for leaves in by_model.values()))
        for keys in conditions
    ]
    return Table("Accuracy under each disturbance", ("disturbance", *map(charts.title_of, measured)), rows)


def _tinted(accuracy: float) -> Cell:
    return Cell(percent(accuracy), 1 - accuracy)


def _has_noise(measured: Mapping[str, Any], noise: str) -> bool:
    return any(noise in report.get("noise", {}) for report in measured.values())


def _noise(measured: Mapping[str, Any], noise: str) -> Chart:
    rows = [
        {"x": int(level), "model": charts.title_of(model), "accuracy": scores["accuracy"]}
        for model, report in measured.items()
        for strength, scores in report["noise"][noise].items()
        if (level := strength.removeprefix("snr_").removesuffix("_db").replace("minus_", "-").split("_")[0])
    ]
    hardest = min(row["x"] for row in rows)
    label = f"Accuracy under {noise} noise by signal-to-noise ratio; at {hardest} dB: " + "; ".join(
        f"{row['model']} {percent(row['accuracy'])}" for row in rows if row["x"] == hardest
    )
    spec = charts.by_strength(rows, "signal-to-noise ratio, dB", list(measured), is_reversed=True)
    return Chart(f"noise-{noise}", f"{noise.capitalize()} noise", label, spec)


def _ood(measured: Mapping[str, Any]) -> Table:
    kinds = list(next(iter(measured.values()))["ood"])
    rows = [
        (
            "test recordings of digits, in error" if kind == "digits" else kind.replace("_", " "),
            *(_detected(report["ood"].get(kind, {})) for report in measured.values()),
        )
        for kind in kinds
    ]
    caption = "Share of sounds with ood_score above 1, and area under the ROC curve in parentheses"
    return Table(caption, ("sound", *map(charts.title_of, measured)), rows)


def _detected(scores: Mapping[str, float]) -> str:
    if not scores:
        return "-"
    auroc = f" ({scores['auroc']:.3f})" if "auroc" in scores else ""
    return f"{percent(scores['detection_rate'])}{auroc}"


def reliability(predictions: pd.DataFrame) -> pd.DataFrame:
    """Return a row per bin of confidence that has clips.

    The columns are `confidence`, its mean, `accuracy` with its Wilson interval `low` and `high`, and `clips`.
    """
    probabilities = predictions[PROBABILITIES].to_numpy(dtype=np.float64)
    right = predictions["predicted"].to_numpy() == predictions["digit"].to_numpy()
    confidence = probabilities.max(axis=1)
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    rows = []
    for number in sorted(set(bins.tolist())):
        inside = bins == number
        hits, clips = int(right[inside].sum()), int(inside.sum())
        low, high = wilson_interval(hits, clips)
        rows.append((float(confidence[inside].mean()), hits / clips, low, high, clips))
    return pd.DataFrame(rows, columns=["confidence", "accuracy", "low", "high", "clips"])


def _reliability(model: str, predictions: pd.DataFrame, of: str) -> Chart:
    bins = reliability(predictions)
    probabilities = predictions[PROBABILITIES].to_numpy(dtype=np.float64)
    right = (predictions["predicted"] == predictions["digit"]).to_numpy()
    error = expected_calibration_error(probabilities, right)
    title = f"{TITLES[model]}: ECE {percent(error)} on {of}"
    table = Table(
        f"{TITLES[model]}: accuracy by confidence on {of}",
        ("mean confidence", "accuracy", "95% interval", "clips"),
        [
            (
                percent(row["confidence"]),
                percent(row["accuracy"]),
                interval(row["low"], row["high"]),
                f"{row['clips']:,}",
            )
            for row in bins.to_dict("records")
        ],
    )
    label = (
        f"{title}. Mean confidence {percent(float(probabilities.max(axis=1).mean()))}, accuracy "
        f"{percent(float(right.mean()))}; points above the dashed line are underconfident."
    )
    rows = [{str(key): round(value, 6) for key, value in row.items()} for row in bins.to_dict("records")]
    return Chart(f"reliability-{model}", title, label, charts.reliability(rows, charts.colour_of(model)), table)

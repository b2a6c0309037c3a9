"""Drift of a night: from the training data, as its run recorded it, and from the runs before it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from audiomnist.core.digits import CLASSES
from audiomnist.night.record import Night
from audiomnist.page import charts
from audiomnist.page.components import Chart, Table
from audiomnist.page.text import percent
from audiomnist.scoring.drift import FEWEST_FILES, MAJOR_PSI, MODERATE_PSI, Drift, DriftCounts, Drifts
from audiomnist.scoring.summary import Summary
from audiomnist.serving.bundle.reference import Reference, histogram_of

_QUANTITIES = {"labels": "labels", "confidence": "confidence", "duration_s": "duration"}
_MEANING = {
    "stable": "stable",
    "moderate": "moderate",
    "major": "major",
    "too_few": f"fewer than {FEWEST_FILES} files: not rated",
}


@dataclass(frozen=True)
class DriftSection:
    """The section of the page; `runs` is how many earlier runs are compared, of them `same_model` with its rows."""

    indices: Table
    quantities: Table | None
    by_run: Chart | None
    runs: int
    same_model: int


def section(night: Night) -> DriftSection:
    """Return tables and the chart of the drift."""
    versions = set(night.rows["model_version"])
    return DriftSection(
        indices=_indices(night.summary.drift if night.summary else None, from_earlier(night)),
        quantities=_quantities(night) if night.summary and night.earlier else None,
        by_run=_by_run([*night.earlier[::-1], *([night.summary] if night.summary else [])]),
        runs=len(night.earlier),
        same_model=sum(summary.model_version in versions for summary in night.earlier),
    )


def from_earlier(night: Night) -> Drifts | None:
    """Return the drift from the answered files of the runs before, by the same model; None if there are none."""
    before = night.earlier_rows
    labels = before["digit"].dropna().to_numpy(dtype=np.int64)
    if not len(labels):
        return None
    counts = DriftCounts(
        Reference(
            labels=tuple((np.bincount(labels, minlength=CLASSES) / len(labels)).tolist()),
            confidence=histogram_of(before["confidence"].to_numpy()),
            duration_s=histogram_of(before["duration_s"].to_numpy()),
        )
    )
    for row in night.answered.to_dict("records"):
        counts.add(int(row["digit"]) if row["status"] == "scored" else None, row["confidence"], row["duration_s"])
    return counts.drifts()


def _indices(from_training: Drifts | None, from_runs: Drifts | None) -> Table:
    rows = [
        (title, *_cells(from_training, quantity), *_cells(from_runs, quantity))
        for quantity, title in _QUANTITIES.items()
    ]
    head = ("distribution of", "from training", "meaning", "from earlier runs", "meaning")
    caption = f"Population stability index: below {MODERATE_PSI} stable, from {MAJOR_PSI} a major change"
    return Table(caption, head, rows)


def _cells(drifts: Drifts | None, quantity: str) -> tuple[str, str]:
    if drifts is None:
        return "-", "not recorded"
    found: Drift = getattr(drifts, quantity)
    return "-" if found.psi is None else f"{found.psi:.3f}", _MEANING[found.level]


def _shares(summary: Summary) -> Iterator[tuple[str, float]]:
    yield "rejected, of the new files", summary.rejected / summary.rows
    yield "withheld, of the new files", summary.abstained / summary.rows
    if summary.mean_confidence is not None:
        yield "mean confidence", summary.mean_confidence


def _quantities(night: Night) -> Table | None:
    if not night.summary or not night.summary.rows:
        return None
    earlier = [dict(_shares(summary)) for summary in night.earlier]
    rows = []
    for name, value in _shares(night.summary):
        values = [shares[name] for shares in earlier if name in shares]
        if values:
            low, middle, high = np.quantile(values, [0, 0.5, 1]).tolist()
            rows.append((name, percent(value), percent(middle), percent(low), percent(high)))
    caption = f"This night beside the {len(earlier)} before it"
    return Table(caption, ("quantity", "this night", "median", "lowest", "highest"), rows)


def _by_run(summaries: Sequence[Summary]) -> Chart | None:
    """Return the drift from training of each run that is rated; None for fewer than two."""
    rated = [summary for summary in summaries if summary.drift.labels.psi is not None and _is_rated(summary.drift)]
    if len(rated) < 2:  # noqa: PLR2004 - a line has two ends
        return None
    rows = [
        {
            "started": summary.started_at.isoformat(),
            "run": f"{summary.started_at:%Y-%m-%d %H:%M}",
            "of": title,
            "index": round(getattr(summary.drift, quantity).psi or 0.0, 4),
        }
        for summary in rated
        for quantity, title in _QUANTITIES.items()
    ]
    title = "Drift from training, run by run"
    last = [f"{row['of']} {row['index']:.3f}" for row in rows[-len(_QUANTITIES) :]]
    label = f"{title}: population stability index of {len(rated)} runs. The last one has {', '.join(last)}."
    table = Table(
        title,
        ("run began (UTC)", *_QUANTITIES.values()),
        [
            (
                f"{summary.started_at:%Y-%m-%d %H:%M}",
                *(f"{getattr(summary.drift, quantity).psi or 0.0:.3f}" for quantity in _QUANTITIES),
            )
            for summary in rated
        ],
    )
    return Chart(
        "drift-by-run",
        title,
        label,
        charts.stability(rows, list(_QUANTITIES.values()), (MODERATE_PSI, MAJOR_PSI)),
        table,
    )


def _is_rated(drifts: Drifts) -> bool:
    return drifts.confidence.level != "too_few"

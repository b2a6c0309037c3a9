"""How right a night was, from what people judged."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import floor
from typing import Any

import pandas as pd

from audiomnist.core.digits import CLASSES
from audiomnist.night.record import Night
from audiomnist.night.sounds import said
from audiomnist.page import charts
from audiomnist.page.components import Chart, Table
from audiomnist.page.text import interval, percent
from audiomnist.review import accuracy
from audiomnist.review.accuracy import Calibration, Estimate, JudgedClip
from audiomnist.review.judgements import Judgement, Judgements, current
from audiomnist.scoring.inbox.paths import shown

_KINDS = {"right, of files with this label": accuracy.by_label, "found, of files of this digit": accuracy.by_digit}


@dataclass(frozen=True)
class Measured:
    """The section of the page.

    Attributes:
        overall: None if no sample was judged, or no clip in some of its strata.
        sampled: judged clips of the sample.
        promised: mean confidence of the labelled rows.
        calibration: accuracy by stratum.
        digits: accuracy by label and by digit heard.
        judged: clips that anyone judged.
        people: who judged, and how many clips each.
        disagreements: clips that people hear differently; None if there are none.
        wrong: rows of the table whose label is wrong, the most confident first.
        heard: by path the last judgement.
    """

    overall: Estimate | None
    sampled: int
    promised: float
    calibration: Chart | None
    digits: Chart | None
    judged: int
    people: Table
    disagreements: Table | None
    wrong: pd.DataFrame
    heard: Mapping[str, Judgement]


def section(night: Night, kept: Judgements) -> Measured:
    """Return what the judgements of a night say."""
    judgements = [judgement for judgement in kept.all() if judgement.run_id == night.run_id]
    answered = night.answered
    answers = {
        (path, content, version): (None if status != "scored" else int(digit), float(confidence))
        for path, content, version, status, digit, confidence in zip(
            *(answered[name] for name in ("path", "content_sha256", "model_version", "status", "digit", "confidence")),
            strict=True,
        )
    }
    sample = accuracy.judged_sample(judgements, answers)
    rows = {clip.stratum: clip.stratum_rows for clip in sample}
    overall = accuracy.overall(sample) if sum(rows.values()) == len(answered) else None
    made = current(judgements)
    last = {judgement.path: judgement for judgement in made}
    labelled = answered[answered["status"] == "scored"]
    heard = labelled["path"].map({path: judgement.label for path, judgement in last.items()})
    is_wrong = heard.notna() & (heard != labelled["digit"].astype(str))
    return Measured(
        overall=overall,
        sampled=len(sample),
        promised=float(labelled["confidence"].mean()),
        calibration=_calibration(accuracy.calibration(sample)) if overall else None,
        digits=_digits(sample) if overall else None,
        judged=len(last),
        people=_people(made),
        disagreements=_disagreements(made, answers),
        wrong=labelled[is_wrong].sort_values(["confidence", "path"], ascending=[False, True]),
        heard=last,
    )


def _people(made: Sequence[Judgement]) -> Table:
    counts = pd.Series([judgement.judged_by for judgement in made], dtype=object).value_counts()
    return Table("Who judged", ("person", "clips"), [(str(name), f"{clips:,}") for name, clips in counts.items()])


def _disagreements(
    made: Sequence[Judgement], answers: Mapping[tuple[str, str, str], tuple[int | None, float]]
) -> Table | None:
    by_clip: dict[tuple[str, str, str], list[Judgement]] = {}
    for judgement in made:
        by_clip.setdefault(judgement.clip, []).append(judgement)
    rows = [
        (
            shown(clip[0]),
            "withheld" if (label := answers[clip][0]) is None else str(label),
            "; ".join(f"{judgement.judged_by}: {said(judgement.label)}" for judgement in found),
            said(found[-1].label),
        )
        for clip, found in sorted(by_clip.items())
        if len({judgement.label for judgement in found}) > 1 and clip in answers
    ]
    caption = (
        f"{len(rows)} {'clip' if len(rows) == 1 else 'clips'} that people hear differently; the latest judgement counts"
    )
    return Table(caption, ("file", "label", "heard", "counts as"), rows) if rows else None


def _calibration(strata: Sequence[Calibration]) -> Chart:
    title = "Confidence and accuracy, as measured"
    table = Table(
        title,
        ("stratum", "mean confidence", "accuracy", "95% interval", "judged"),
        [
            (
                f"{number} of {len(strata)}",
                percent(stratum.confidence),
                percent(stratum.measured.accuracy),
                interval(stratum.measured.low, stratum.measured.high),
                f"{stratum.measured.judged:,}",
            )
            for number, stratum in enumerate(strata, 1)
        ],
    )
    rows = [{"confidence": round(stratum.confidence, 6), **_fields(stratum.measured)} for stratum in strata]
    each = (f"{percent(found.confidence)} promised, {percent(found.measured.accuracy)} measured" for found in strata)
    label = f"{title}, by stratum: {'; '.join(each)}. Points below the dashed line are overconfident."
    lowest = floor(10 * min(row[name] for row in rows for name in ("confidence", "low"))) / 10
    return Chart("calibration", title, label, charts.reliability(rows, "var(--m-cnn)", lowest), table)


def _digits(sample: Sequence[JudgedClip]) -> Chart:
    found = {kind: estimate(sample) for kind, estimate in _KINDS.items()}
    rows: list[dict[str, Any]] = [
        {"digit": str(digit), "kind": kind, **_fields(estimates[digit])}
        for digit in range(CLASSES)
        for kind, estimates in found.items()
        if digit in estimates
    ]
    title = "Accuracy by digit"
    heads = [head for kind in _KINDS for head in (kind, "95% interval", "judged")]
    cells = [
        (
            str(digit),
            *(
                cell
                for estimates in found.values()
                for cell in (_texts(estimates[digit]) if digit in estimates else ("-", "-", "0"))
            ),
        )
        for digit in range(CLASSES)
    ]
    worst = min(rows, key=lambda row: row["accuracy"])
    label = (
        f"{title}, with 95% intervals: of the files with a label, those that are right; of the files in which a digit "
        f"was heard, those with its label. The lowest is {percent(worst['accuracy'])}, digit {worst['digit']}."
    )
    return Chart("digits", title, label, charts.by_digit(rows, list(_KINDS)), Table(title, ("digit", *heads), cells))


def _texts(estimate: Estimate) -> tuple[str, str, str]:
    return percent(estimate.accuracy), interval(estimate.low, estimate.high), str(estimate.judged)


def _fields(estimate: Estimate) -> dict[str, float]:
    return {
        "accuracy": round(estimate.accuracy, 6),
        "low": round(estimate.low, 6),
        "high": round(estimate.high, 6),
        "clips": estimate.judged,
    }

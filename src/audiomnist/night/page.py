"""The page of a night: one HTML file, in the style of the report."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from audiomnist.core import atomic
from audiomnist.core.digits import CLASSES
from audiomnist.night import drift, measured, record
from audiomnist.night.measured import Measured
from audiomnist.night.record import Night, NightError
from audiomnist.night.sounds import Sounds
from audiomnist.page import charts
from audiomnist.page.build import BUDGET_BYTES, SOUNDS_AND_PICTURES
from audiomnist.page.components import Chart, Table, render
from audiomnist.page.text import bytes_of, interval, percent
from audiomnist.review.judgements import Judgements
from audiomnist.scoring.inbox.discover import check_listable
from audiomnist.scoring.inbox.paths import shown
from audiomnist.scoring.table.schema import REASONS

_LEAST_CERTAIN = 12
_WRONG = 24
_EXAMPLES = 3
_BINS = 20
_OUTCOMES = {
    "scored": "labelled",
    "abstained": "label withheld, because its confidence is below --min-confidence",
    "rejected": "its content cannot be scored",
    "unchanged": "the table has it already",
    "deferred": "left for the next run",
    "remaining": "not taken, because of --limit or an interruption",
    "excluded": "left out by --include or --exclude",
}


def write(
    table: Path,
    run_id: str | None,
    reviews: Path | None,
    inbox: Path | None,
    out: Path,
    budget_bytes: int = BUDGET_BYTES,
) -> None:
    """Write the page of a run.

    Args:
        table: folder of the table.
        run_id: of the run; None for the latest that wrote rows.
        reviews: folder of the judgements; None for a page without them.
        inbox: folder of the files, for sounds; None for a page without them.
        out: HTML to write.
        budget_bytes: maximum of the page, roughly: sounds and pictures that would exceed it are left out.

    Raises:
        InboxError: the inbox cannot be listed.
        TableError: the table or the judgements are none, or cannot be read.
        ReviewError: no run has written rows.
        NightError: there is no such run, or the page cannot be written.
    """
    for folder in filter(None, (table, reviews, inbox)):
        if out.resolve().is_relative_to(folder.resolve()):
            raise NightError(f"{out} lies in {folder}: name another file with --to")
    if inbox:
        check_listable(inbox)
    night = record.read(table, run_id)
    found = measured.section(night, Judgements.open(reviews)) if reviews else None
    html = _html(night, found, Sounds(inbox, round(SOUNDS_AND_PICTURES * budget_bytes)), bytes_of(budget_bytes))
    try:
        atomic.write_text(out, html)
    except OSError as error:
        raise NightError(f"{out} cannot be written ({error.strerror}): name another file with --to") from error


def _html(night: Night, found: Measured | None, sounds: Sounds, budget: str) -> str:
    summary, answered = night.summary, night.answered
    heard = found.heard if found else {}
    wrong = sounds.files(found.wrong.head(_WRONG), heard) if found else []
    uncertain = sounds.files(answered.sort_values(["confidence", "path"]).head(_LEAST_CERTAIN), heard)
    return render(
        "night.html",
        night=night,
        summary=summary,
        title_of=charts.title_of,
        model=None if night.rows.empty else night.rows.iloc[0].to_dict(),
        shown=shown,
        began=summary.started_at if summary else (None if night.rows.empty else night.rows["scored_at"].min()),
        facts=_facts(night, found),
        outcomes=_outcomes(night),
        deferred=_deferred(night),
        measured=found,
        interval=interval,
        percent=percent,
        labels=_labels(night),
        confidence=_confidence(answered["confidence"]),
        rejections=_rejections(night.rows),
        drift=drift.section(night),
        wrong=wrong,
        uncertain=uncertain,
        clips=sounds.content(),
        budget=budget,
    )


def _facts(night: Night, found: Measured | None) -> list[tuple[str, str, str]]:
    """Return what is at the top of the page: name, value, explanation."""
    counts = night.rows["status"].value_counts()
    facts = []
    if night.summary:
        facts.append(("Files found", f"{night.summary.found:,}", f"{len(night.rows):,} new"))
    for status, name in (("scored", "Labelled"), ("abstained", "Withheld"), ("rejected", "Rejected")):
        files = int(counts.get(status, 0))
        share = percent(files / len(night.rows)) if len(night.rows) else ""
        if files or status != "abstained":
            facts.append((name, f"{files:,}", f"{share} of the new files" if share else ""))
    if found and found.overall:
        limits = interval(found.overall.low, found.overall.high)
        facts.append(("Measured accuracy", percent(found.overall.accuracy), f"{limits}; {found.overall.judged} judged"))
    labelled = night.rows.loc[night.rows["status"] == "scored", "confidence"]
    if len(labelled):
        facts.append(("Mean confidence", percent(float(labelled.mean())), "of the labels"))
    if night.summary:
        facts.append(("Took", _duration(night.summary.seconds), f"{night.summary.files_per_s:,.0f} files/s"))
    return facts


def _duration(seconds: float) -> str:
    """Return a duration in words.

    >>> [_duration(seconds) for seconds in (3.21, 754, 7500)]
    ['3.2 s', '12 min 34 s', '2 h 5 min']
    """
    if seconds < 60:  # noqa: PLR2004 - a minute
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"  # noqa: PLR2004


def _outcomes(night: Night) -> Table:
    summary, counts = night.summary, night.rows["status"].value_counts()
    if summary:
        caption = f"{summary.found:,} files and folders were found"
        files = {outcome: int(getattr(summary, outcome)) for outcome in _OUTCOMES}
    else:
        caption, files = (
            f"{len(night.rows):,} rows were written",
            {status: int(counts[status]) for status in counts.index},
        )
    total = sum(files.values())
    rows = [
        (outcome, f"{count:,}", percent(count / total), _OUTCOMES[outcome]) for outcome, count in files.items() if count
    ]
    return Table(caption, ("outcome", "files", "share", "meaning"), rows)


def _deferred(night: Night) -> Table | None:
    if not night.summary or not night.summary.deferred:
        return None
    files = night.summary.deferred_files
    rows = [
        (reason, f"{count:,}", "; ".join(shown(file.path) for file in files if file.reason == reason))
        for reason, count in night.summary.by_deferred_reason.items()
    ]
    return Table("Deferred to the next run", ("reason", "files", "examples"), rows)


def _labels(night: Night) -> Chart | None:
    labelled = night.rows[night.rows["status"] == "scored"]
    if labelled.empty:
        return None
    before = _by_digit(night.earlier_rows["digit"].dropna())
    groups = {"this night": _by_digit(labelled["digit"])}
    if before.sum():
        groups["runs before, same model"] = before
    rows = [
        {"digit": str(digit), "group": name, "share": round(count / counts.sum(), 6)}
        for name, counts in groups.items()
        for digit, count in enumerate(counts.tolist())
    ]
    confidence = labelled.groupby("digit")["confidence"].mean()
    cells = [
        (
            str(digit),
            f"{counts:,}",
            percent(counts / len(labelled)),
            percent(before[digit] / before.sum()) if before.sum() else "-",
            percent(float(confidence[digit])) if counts else "-",
        )
        for digit, counts in enumerate(groups["this night"].tolist())
    ]
    title = "Labels by digit"
    table = Table(title, ("label", "files", "share", "runs before", "mean confidence"), cells)
    counts = groups["this night"]
    label = (
        f"{title}: the most frequent is {counts.argmax()} with {percent(counts.max() / len(labelled))}, the least "
        f"frequent {counts.argmin()} with {percent(counts.min() / len(labelled))}, of {len(labelled):,} labels."
    )
    return Chart("labels-by-digit", title, label, charts.shares(rows, list(groups)), table)


def _by_digit(digits: pd.Series) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    return np.bincount(digits.to_numpy(dtype=np.int64), minlength=CLASSES)


def _confidence(confidence: pd.Series) -> Chart | None:
    if confidence.empty:
        return None
    counts, edges = np.histogram(confidence, bins=_BINS, range=(0, 1))
    rows = [
        {"start": round(start, 2), "end": round(end, 2), "clips": count}
        for start, end, count in zip(edges[:-1].tolist(), edges[1:].tolist(), counts.tolist(), strict=True)
        if count
    ]
    title = "Confidence"
    cells = [(f"{row['start']:.0%} to {row['end']:.0%}", f"{row['clips']:,}") for row in rows]
    label = (
        f"{title}: number of files by confidence. Half are above {percent(float(confidence.median()))}, "
        f"{percent(float((confidence < 0.5).mean()))} below 50%."  # noqa: PLR2004
    )
    return Chart(
        "confidence", title, label, charts.histogram(rows, "confidence"), Table(title, ("confidence", "files"), cells)
    )


def _rejections(rows: pd.DataFrame) -> list[tuple[str, str, str, Sequence[str]]]:
    """Return, by reason, the most frequent first: the reason, how many files, what it means, examples."""
    rejected = rows[rows["status"] == "rejected"]
    return [
        (
            str(reason),
            f"{files:,}",
            REASONS.get(str(reason), ""),
            [shown(message) for message in rejected.loc[rejected["reason"] == reason, "message"].head(_EXAMPLES)],
        )
        for reason, files in rejected["reason"].value_counts().items()
    ]

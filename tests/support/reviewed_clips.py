"""Clips that people have judged, for the tests that make recordings of them."""

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import inbox_files

from audiomnist.review.judgements import Judgement, Judgements

START = datetime(2026, 11, 24, 8, tzinfo=UTC)


def judged(path: str, content: bytes, label: str | None, by: str = "ada", minute: int = 0) -> Judgement:
    """Return what a person heard in a file of the inbox."""
    return Judgement(
        judgement_id=str(uuid4()),
        path=path,
        content_sha256=hashlib.sha256(content).hexdigest(),
        model_version="m",
        run_id="night",
        label=label,
        judged_by=by,
        judged_at=START + timedelta(minutes=minute),
    )


def write(folder: Path, labels: dict[str, str]) -> tuple[Path, Path]:
    """Write a clip for each name into an inbox, and its label into a table of judgements; return both folders.

    Each clip is another sound, of 0.3 s, in 16 bits at 8 kHz.
    """
    inbox, reviews = folder / "inbox", folder / "labels-reviews"
    made = []
    for minute, (name, label) in enumerate(labels.items()):
        content = inbox_files.encoded(inbox_files.tone(minute % 10, seed=1000 + minute))
        inbox_files.put(inbox, name, content)
        made.append(judged(name, content, label, minute=minute))
    Judgements.create(reviews).append(made)
    return inbox, reviews

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


def clip(inbox: Path, name: str, number: int = 0, seconds: float = 0.3, gain: float = 1) -> bytes:
    """Write a clip into an inbox, in 16 bits at 8 kHz; each number gives another sound. Return its content."""
    content = inbox_files.encoded(gain * inbox_files.tone(number % 10, seconds, seed=1000 + number))
    inbox_files.put(inbox, name, content)
    return content


def write(folder: Path, labels: dict[str, str], first: int = 0) -> tuple[Path, Path]:
    """Write a clip for each name into an inbox, and its label into a table of judgements; return both folders."""
    inbox, reviews = folder / "inbox", folder / "labels-reviews"
    contents = {name: clip(inbox, name, first + number) for number, name in enumerate(labels)}
    made = [judged(name, contents[name], label, minute=minute) for minute, (name, label) in enumerate(labels.items())]
    Judgements.create(reviews).append(made)
    return inbox, reviews

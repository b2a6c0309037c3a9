"""Rows of the table in the making."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from audiomnist.core.digits import PROBABILITIES
from audiomnist.scoring.inbox.paths import shown
from audiomnist.scoring.table.schema import SCHEMA
from audiomnist.serving.bundle import code_version
from audiomnist.serving.bundle.description import Description
from audiomnist.serving.predictor import Answer


class Facts(NamedTuple):
    """What is known of a file before a model is asked; the fields are columns of the table."""

    path: str
    size_bytes: int
    modified_ns: int
    content_sha256: str | None = None
    duration_s: float | None = None
    sample_rate_hz: int | None = None
    channels: int | None = None
    peak: float | None = None


class Verdict(NamedTuple):
    """What the scorer says of a file; the fields are columns of the table, but for `probabilities`, p0 to p9."""

    status: str
    digit: int | None = None
    confidence: float | None = None
    probabilities: NDArray[np.float32] | None = None
    ood_score: float | None = None
    reason: str | None = None
    message: str | None = None


@dataclass(frozen=True)
class Stamp:
    """What all rows of a run share.

    Attributes:
        model_version: SHA-256 of the model's description.
        min_confidence: below it the label is withheld.
        columns: those columns of the table that say which model and which program it was.
    """

    model_version: str
    min_confidence: float
    columns: dict[str, str]

    @classmethod
    def of(cls, run_id: str, min_confidence: float, description: Description, model_version: str) -> "Stamp":
        """Return the stamp of a run with a model."""
        columns = {
            "model": description.model,
            "model_version": model_version,
            "dataset": description.dataset.name,
            "dataset_version": description.dataset.version,
            "code_revision": code_version.revision(),
            "run_id": run_id,
        }
        return cls(model_version, min_confidence, columns)


def answered(answer: Answer, min_confidence: float) -> Verdict:
    """Return the verdict that a model's answer amounts to."""
    digit = int(answer.probabilities.argmax())
    confidence = float(answer.probabilities[digit])
    withheld = confidence < min_confidence
    return Verdict(
        "abstained" if withheld else "scored",
        None if withheld else digit,
        confidence,
        answer.probabilities,
        answer.ood_score,
    )


def rejected(path: str, reason: str, sentence: str) -> Verdict:
    """Return the verdict on a file that cannot be scored."""
    return Verdict("rejected", reason=reason, message=f"{shown(path)}: {sentence}")


def table(rows: Sequence[tuple[Facts, Verdict]], stamp: Stamp, scored_at: datetime) -> pa.Table:
    """Return rows of the table, made at a time in UTC."""
    shared = {**stamp.columns, "scored_at": scored_at}
    return pa.Table.from_pylist([_row(facts, verdict) | shared for facts, verdict in rows], SCHEMA)


def _row(facts: Facts, verdict: Verdict) -> dict[str, Any]:
    row = facts._asdict() | verdict._asdict()
    probabilities = row.pop("probabilities")
    return row if probabilities is None else row | dict(zip(PROBABILITIES, probabilities.tolist(), strict=True))

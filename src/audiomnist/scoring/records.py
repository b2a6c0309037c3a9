"""What is known of each file, and the table rows made of it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

import pyarrow as pa

from audiomnist.core.digits import PROBABILITIES
from audiomnist.scoring.inbox.paths import shown
from audiomnist.scoring.table.schema import SCHEMA
from audiomnist.serving.bundle import code_version
from audiomnist.serving.bundle.description import CascadeDescription, Description
from audiomnist.serving.predictor import Prediction

_NO_PROBABILITIES = (None,) * len(PROBABILITIES)


class FileInfo(NamedTuple):
    """Properties of a file that do not depend on the model; the fields are columns of the table."""

    path: str
    size_bytes: int
    modified_ns: int
    content_sha256: str | None = None
    duration_s: float | None = None
    sample_rate_hz: int | None = None
    channels: int | None = None
    peak: float | None = None
    etag: str | None = None


class Outcome(NamedTuple):
    """Label or rejection of a file; the fields are columns of the table, except `probabilities` (p0 to p9)."""

    status: str
    digit: int | None = None
    confidence: float | None = None
    probabilities: tuple[float, ...] | None = None
    ood_score: float | None = None
    reason: str | None = None
    message: str | None = None
    answered_by: str | None = None
    asr_token: str | None = None


class FileResult(NamedTuple):
    """A file that gets a row; `seconds` is its processing time."""

    info: FileInfo
    outcome: Outcome
    seconds: float


def run_columns(run_id: str, description: Description | CascadeDescription, model_version: str) -> dict[str, str]:
    """Return the columns that are the same in all rows of a run: they identify the run, the model and the program."""
    return {
        "model": description.model,
        "model_version": model_version,
        "dataset": description.dataset.name,
        "dataset_version": description.dataset.version,
        "code_revision": code_version.revision(),
        "run_id": run_id,
    }


def predicted(prediction: Prediction, min_confidence: float) -> Outcome:
    """Return the outcome of a file with a prediction: scored, or abstained below the minimum confidence."""
    digit = int(prediction.probabilities.argmax())
    confidence = float(prediction.probabilities[digit])
    status, label = ("abstained", None) if confidence < min_confidence else ("scored", digit)
    return Outcome(
        status,
        label,
        confidence,
        tuple(prediction.probabilities.tolist()),
        prediction.ood_score,
        answered_by=prediction.answered_by,
        asr_token=prediction.asr_token,
    )


def rejected(path: str, reason: str, detail: str) -> Outcome:
    """Return the outcome of a file that cannot be scored."""
    return Outcome("rejected", reason=reason, message=f"{shown(path)}: {detail}")


def table(files: Sequence[FileResult], shared: Mapping[str, str], scored_at: datetime) -> pa.Table:
    """Return one row per file; `shared` has the columns of the run, `scored_at` is in UTC."""
    if not files:
        return SCHEMA.empty_table()
    infos, outcomes, _ = zip(*files, strict=True)
    columns = dict(zip(FileInfo._fields, zip(*infos, strict=True), strict=True))
    columns |= dict(zip(Outcome._fields, zip(*outcomes, strict=True), strict=True))
    of_digits = (probabilities or _NO_PROBABILITIES for probabilities in columns.pop("probabilities"))
    columns |= dict(zip(PROBABILITIES, zip(*of_digits, strict=True), strict=True))
    columns |= {name: (value,) * len(files) for name, value in {**shared, "scored_at": scored_at}.items()}
    return pa.Table.from_pydict(columns, SCHEMA)

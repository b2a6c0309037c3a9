"""Checks of the scorer's table with Great Expectations, for `audiomnist table verify`.

The checked columns are in memory as a whole.
"""

import numpy as np
import pandas as pd
import pyarrow as pa

from audiomnist.core.digits import PROBABILITIES
from audiomnist.scoring.table.schema import FORMER_REASONS, IDENTITY, REASONS, SCHEMA, STATUSES
from audiomnist.scoring.table.table import Table
from audiomnist.storage.url import Place
from audiomnist.validation import gate
from audiomnist.validation.rules import Rule, among, between, unique

_UNCHECKED = {"modified_ns", "ood_score", "model", "dataset", "dataset_version", "code_revision", "run_id", "scored_at"}
_COLUMNS = [name for name in SCHEMA.names if name not in _UNCHECKED]
_SHA256 = "[0-9a-f]{64}"


def verify(path: Place) -> int:
    """Check every row of a table with `RULES`; return the number of rows.

    Raises:
        TableError: the table cannot be read, or its columns are not those of the schema.
        UnmetError: a rule is broken; the message names the files whose rows break it.
    """
    schema = pa.schema([SCHEMA.field(name) for name in _COLUMNS])
    measurements = measure(pa.Table.from_batches(Table.open(path).scan(_COLUMNS), schema))
    gate.check("table", measurements, RULES)
    return len(measurements)


RULES: list[Rule] = [
    unique("no file has two rows of one content by one model", *IDENTITY),
    among(f"the status is one of {', '.join(STATUSES)}", "status", list(STATUSES)),
    among("there is a digit exactly where the status is scored", "digit_fits_status", [True]),
    among("there is a reason, with a message, exactly where the status is rejected", "reason_fits_status", [True]),
    among("the reason is a documented one", "reason", [*REASONS, *FORMER_REASONS]),
    among(
        "there are ten probabilities and a confidence unless the status is rejected", "likelihood_fits_status", [True]
    ),
    among("a rejected file has no answer, and no token without an answer", "answer_fits_status", [True]),
    between("no probability is below 0", "least_probability", 0),
    between("the probabilities sum to 1, give or take 0.001", "sum_of_probabilities", 0.999, 1.001),
    between("the confidence is the largest probability", "confidence_off_largest", 0, 1e-6),
    between("the digit is the most probable one", "digit_off_largest", 0, 1e-6),
    among("the content's hash is a SHA-256, absent only where the status is rejected", "content_is_hash", [True]),
    among("the model's version is a SHA-256", "version_is_hash", [True]),
    between("the size is not negative", "size_bytes", 0),
    between("the duration is not negative", "duration_s", 0),
    between("the sample rate is positive", "sample_rate_hz", 1),
    between("there is at least one channel", "channels", 1),
    between("the peak is not negative", "peak", 0),
]


def measure(rows: pa.Table) -> pd.DataFrame:
    """Return the columns that `RULES` check, one row per row of the table; `recording` is the path of the file."""
    frame: pd.DataFrame = rows.to_pandas()
    rejected, absent = frame["status"] == "rejected", frame["content_sha256"].isna()
    likelihood = frame[[*PROBABILITIES, "confidence"]].notna()
    probabilities = frame[list(PROBABILITIES)].astype(np.float64)
    largest = probabilities.max(axis=1)
    of_digit = sum(probabilities[name].where(frame["digit"] == digit, 0) for digit, name in enumerate(PROBABILITIES))
    return frame.drop(columns=[*PROBABILITIES, "message"]).assign(
        recording=frame["path"],
        content_sha256=frame["content_sha256"].fillna(""),
        digit_fits_status=frame["digit"].notna() == (frame["status"] == "scored"),
        reason_fits_status=(frame["reason"].notna() == rejected) & (frame["message"].notna() == rejected),
        content_is_hash=frame["content_sha256"].str.fullmatch(_SHA256) | (absent & rejected),
        version_is_hash=frame["model_version"].str.fullmatch(_SHA256),
        likelihood_fits_status=likelihood.all(axis=1) & ~rejected | ~likelihood.any(axis=1) & rejected,
        answer_fits_status=(frame["answered_by"].isna() | ~rejected)
        & (frame["asr_token"].isna() | frame["answered_by"].notna()),
        least_probability=probabilities.min(axis=1),
        sum_of_probabilities=probabilities.sum(axis=1, min_count=1),
        confidence_off_largest=(frame["confidence"] - largest).abs(),
        digit_off_largest=(largest - of_digit).where(frame["digit"].notna()),
    )

"""What the table has of a run and of those before it: rows, and the summaries in its history."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
from pydantic import ValidationError

from audiomnist.core.digits import PROBABILITIES
from audiomnist.core.errors import AudiomnistError
from audiomnist.review.sample import latest_run
from audiomnist.scoring.inbox.paths import shown
from audiomnist.scoring.summary import Summary
from audiomnist.scoring.table.schema import FORMER_REASONS, SCHEMA
from audiomnist.scoring.table.table import Table

EARLIER_RUNS = 30
_COLUMNS = (
    "path",
    "content_sha256",
    "status",
    "digit",
    "confidence",
    *PROBABILITIES,
    "ood_score",
    "reason",
    "message",
    "duration_s",
    "model",
    "model_version",
    "dataset",
    "dataset_version",
    "code_revision",
    "scored_at",
)
_COMPARED = ("digit", "confidence", "duration_s")


class NightError(AudiomnistError):
    """There is no such run, or its page cannot be written."""


@dataclass(frozen=True)
class Night:
    """A run.

    Attributes:
        table: folder of the table.
        run_id: of the run.
        summary: as it ended; None if it did not, or was recorded by an earlier version of the program.
        has_ended: whether it recorded any summary.
        rows: its rows, by path: columns of the table, `digit` as Int64.
        earlier: summaries of up to 30 runs before it that wrote rows, the latest first.
        earlier_rows: `digit`, `confidence` and `duration_s` of the answered files of those of them with its model.
    """

    table: Path
    run_id: str
    summary: Summary | None
    has_ended: bool
    rows: pd.DataFrame
    earlier: list[Summary]
    earlier_rows: pd.DataFrame

    @property
    def answered(self) -> pd.DataFrame:
        """Rows with a label, shown or withheld."""
        return self.rows[self.rows["confidence"].notna()]


def read(folder: Path, run_id: str | None = None) -> Night:
    """Return a run of a table; by default the latest that wrote rows.

    Raises:
        TableError: there is no table, or it cannot be read.
        ReviewError: no run has written rows.
        NightError: there is no such run.
    """
    table = Table.open(folder)
    run_id = run_id or latest_run(table)
    runs = table.runs()
    ids = [run.run_id for run in runs]
    if run_id not in ids:
        raise NightError(f"there is no run {shown(run_id)} in {folder}: `audiomnist table history {folder}` lists them")
    number = ids.index(run_id)
    before = [summary for run in runs[number + 1 :] if (summary := _summary(run.summary)) and summary.rows]
    rows = _rows(table, _COLUMNS, {"run_id": [run_id]}).sort_values("path", ignore_index=True)
    versions = set(rows["model_version"])
    comparable = [summary.run_id for summary in before[:EARLIER_RUNS] if summary.model_version in versions]
    earlier_rows = _rows(table, _COMPARED, {"run_id": comparable, "status": ("scored", "abstained")})
    return Night(
        table=folder,
        run_id=run_id,
        summary=_summary(runs[number].summary),
        has_ended=runs[number].summary is not None,
        rows=rows.assign(reason=rows["reason"].replace(FORMER_REASONS)),
        earlier=before[:EARLIER_RUNS],
        earlier_rows=earlier_rows,
    )


def _summary(stored: Mapping[str, Any] | None) -> Summary | None:
    try:
        return Summary.model_validate(stored)
    except ValidationError:
        return None


def _rows(table: Table, columns: Collection[str], only: Mapping[str, Collection[str]]) -> pd.DataFrame:
    schema = pa.schema([SCHEMA.field(name) for name in columns])
    rows: pd.DataFrame = pa.Table.from_batches(table.scan(list(columns), only), schema).to_pandas()
    return rows.astype({"digit": "Int64"})

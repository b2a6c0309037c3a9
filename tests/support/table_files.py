"""Files in the folder of a table: in use, left over, or partly written."""

import re
from pathlib import Path

import numpy as np
import pyarrow as pa
from deltalake import DeltaTable

from audiomnist.core.digits import PROBABILITIES
from audiomnist.scoring.table import delta_files, location
from audiomnist.scoring.table.schema import IDENTITY, LABELS, SCHEMA
from audiomnist.scoring.table.table import Table

_ENTRY = re.compile(r"_delta_log/\d{20}\.json")
_OF_THE_RUN = ("run_id", "scored_at")
_ROUNDED = (*PROBABILITIES, "confidence", "ood_score")
_TOLERANCE = 1e-5

_NEWER = {"answered_by", "asr_token"}
FORMER_SCHEMA = pa.schema([field for field in SCHEMA if field.name not in _NEWER])


def create_former(table: Path) -> None:
    """Make an empty table as version 0.1.0 did before `answered_by` and `asr_token`."""
    table.mkdir(parents=True)
    DeltaTable.create(
        location.uri_of(table),
        FORMER_SCHEMA,
        mode="ignore",
        name="audiomnist",
        description="Spoken digits: one row per path, content and model version",
        configuration={"delta.logRetentionDuration": "interval 3650 days"},
    )


def rows(table: Path) -> pa.Table:
    """Return the rows, in the order of their identities."""
    return pa.Table.from_batches(Table.open(table).scan(), SCHEMA).sort_by([(name, "ascending") for name in IDENTITY])


def assert_same(table: Path, expected: pa.Table) -> None:
    """Check that a table has the expected rows, each once, but for which run made them and when."""
    found = rows(table)
    assert len(set(LABELS.identities(found))) == len(found)
    assert found.drop_columns([*_OF_THE_RUN, *_ROUNDED]).equals(expected.drop_columns([*_OF_THE_RUN, *_ROUNDED]))
    for name in _ROUNDED:
        np.testing.assert_allclose(found[name].to_numpy(), expected[name].to_numpy(), rtol=_TOLERANCE, atol=_TOLERANCE)


def commits(table: Path) -> int:
    """Return how many commits the table has had, the one that made it not among them; -1 if there is no table."""
    return len(_entries(table)) - 1


def unused(table: Path) -> set[str]:
    """Return the names of files that are neither of the table, nor of its log, nor its lock."""
    used = {Path(uri).name for uri in DeltaTable(table).file_uris()} if _entries(table) else set()
    return {name for name in delta_files.names(table) - _entries(table) - used if not name.endswith(".lock")}


def _entries(table: Path) -> set[str]:
    log = table / delta_files.LOG
    names = {f"{log.name}/{path.name}" for path in log.iterdir()} if log.is_dir() else set()
    return set(filter(_ENTRY.fullmatch, names))

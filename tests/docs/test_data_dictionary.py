"""The data dictionary says what is in the table."""

import re
import textwrap
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from deltalake import DeltaTable

from audiomnist.core.digits import PROBABILITIES
from audiomnist.review import judgements
from audiomnist.scoring.table.history import RUN_ID
from audiomnist.scoring.table.schema import REASONS, SCHEMA, STATUSES
from audiomnist.scoring.table.table import Table

PAGE = (Path(__file__).parents[2] / "docs" / "data-dictionary.md").read_text(encoding="utf-8")

TABLES = pytest.mark.parametrize(
    ("heading", "schema"), [("Columns", SCHEMA), ("The table of judgements", judgements.SCHEMA)]
)


def table_under(heading: str) -> list[list[str]]:
    """Return the cells of the table in a section, without its head."""
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in lines[2:]]


@TABLES
def test_the_columns_and_their_types_are_those_of_the_schema(heading: str, schema: pa.Schema) -> None:
    """In their order."""
    documented = [(name, kind) for name, kind, *_ in table_under(heading)]
    assert documented == [(field.name, str(field.type)) for field in schema]


@TABLES
def test_a_column_is_never_null_where_the_schema_says_so(heading: str, schema: pa.Schema) -> None:
    """And where it may be, the page says when."""
    assert {name: null == "never" for name, _, _, null, _ in table_under(heading)} == {
        field.name: not field.nullable for field in schema
    }


@TABLES
def test_every_cell_of_type_null_and_meaning_is_filled_in(heading: str, schema: pa.Schema) -> None:
    """Only the unit may be missing."""
    documented = table_under(heading)
    assert len(documented) == len(schema)
    assert all(name and kind and null and meaning for name, kind, _, null, meaning in documented)


def test_every_column_describes_itself_in_the_table() -> None:
    """For those who have the table and not the page."""
    assert all(field.metadata[b"description"] for field in SCHEMA)


@pytest.mark.parametrize(("heading", "codes"), [("Statuses", STATUSES), ("Reasons", REASONS)])
def test_the_codes_are_those_of_the_program(heading: str, codes: dict[str, str]) -> None:
    """Each with its meaning."""
    documented = dict(table_under(heading))
    assert list(documented) == list(codes)
    assert all(documented.values())


def test_the_pandas_example_gives_the_current_label_of_each_path(tmp_path: Path) -> None:
    """It is run unchanged."""
    table = Table.create(tmp_path / "table")
    for day, (path, digit) in enumerate([("a", 1), ("b", 2), ("a", 3)], 1):
        table.append(pa.Table.from_pylist([row(path, digit, day)], schema=SCHEMA), {RUN_ID: "run"})
    code = re.search(r"pandas:\n\n```python\n(.*?)```", PAGE, re.DOTALL)
    assert code is not None
    names = {"DeltaTable": DeltaTable}
    exec(textwrap.dedent(code[1]).replace("TABLE", str(table.path)), names)  # noqa: S102 - the page's own code
    labels: pd.DataFrame = names["labels"]  # type: ignore[assignment]
    assert dict(zip(labels["path"], labels["digit"], strict=True)) == {"a": 3, "b": 2}


def row(path: str, digit: int, day: int) -> dict[str, object]:
    """Return a row that was made on a day."""
    return {
        "path": path,
        "content_sha256": f"{day}",
        "size_bytes": 0,
        "modified_ns": 0,
        "status": "scored",
        "digit": digit,
        "confidence": 1.0,
        **{name: float(name == f"p{digit}") for name in PROBABILITIES},
        "model": "cnn",
        "model_version": "m",
        "dataset": "tones",
        "dataset_version": "1",
        "code_revision": "0.1.0",
        "run_id": "run",
        "scored_at": datetime(2026, 11, day, tzinfo=UTC),
    }

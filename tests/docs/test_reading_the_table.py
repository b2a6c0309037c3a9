"""What docs/scoring.md says of reading the table is true of the libraries that it names."""

import re
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pytest
import small_bundles
from deltalake import DeltaTable
from inbox_files import put_bad, put_good
from runs import score

from audiomnist.scoring.run import ScoringConfig

SCORING = (Path(__file__).parents[2] / "docs" / "scoring.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```python\n(.+?)```", SCORING.partition("## Reading the table")[2], re.DOTALL)
(DUCKDB,) = re.findall(r"```sql\n(.+?)```", SCORING, re.DOTALL)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table in which two models labelled twenty good files and four bad ones."""
    folder = tmp_path_factory.mktemp("reading")
    put_good(folder / "inbox", 20)
    put_bad(folder / "inbox", 4)
    for model in ("cnn", "rnn"):
        served = small_bundles.write(model, folder / model)
        score(ScoringConfig(folder / "inbox", folder / "table", served, rescore=True))
    return folder / "table"


def run(example: str, table: Path) -> Any:
    """Run an example; return the value of its last line."""
    first, last = example.replace('"TABLE"', repr(str(table))).strip().split("\n")
    names: dict[str, Any] = {"duckdb": duckdb, "pl": pl, "DeltaTable": DeltaTable}
    exec(first, names)  # noqa: S102 - it is in the documentation
    return eval(last, names)  # noqa: S307 - the same


def test_each_library_has_its_example() -> None:
    """DuckDB, Polars, pandas."""
    assert [name for example in EXAMPLES for name in ("duckdb", "pl.", "to_pandas") if name in example] == [
        "duckdb",
        "pl.",
        "to_pandas",
    ]


def test_duckdb_counts_what_was_rejected_for_which_reason(table: Path) -> None:
    """Forty labels and eight rejections."""
    counts = {(status, reason): count for status, reason, count in run(EXAMPLES[0], table).fetchall()}
    assert counts["scored", None] == 40
    assert sum(counts.values()) == 48


def test_polars_counts_labels(table: Path) -> None:
    """And the rejected rows, which have none."""
    counts = run(EXAMPLES[1], table)
    assert isinstance(counts, pl.DataFrame)
    assert int(counts["len"].sum()) == 48
    assert int(counts.filter(pl.col("digit").is_null())["len"].item()) == 8


def test_pandas_has_the_mean_confidence_of_each_label(table: Path) -> None:
    """In [0, 1]."""
    means = run(EXAMPLES[2], table)
    assert isinstance(means, pd.Series)
    assert means.between(0, 1).all()
    assert len(means) > 1


def test_duckdb_finds_where_two_models_disagree(table: Path) -> None:
    """What it finds is what the rows say."""
    rows = DeltaTable(table).to_pyarrow_dataset()
    found = duckdb.execute(DUCKDB).fetchall()
    labels = (
        DeltaTable(table)
        .to_pandas(columns=["path", "model", "digit"])
        .pivot_table(index="path", columns="model", values="digit")
    )
    expected = labels[labels["cnn"] != labels["rnn"]]
    assert {path: (cnn, rnn) for path, cnn, rnn in found} == {
        path: (row["cnn"], row["rnn"]) for path, row in expected.iterrows()
    }
    assert rows.count_rows() == 48


def test_any_reader_of_delta_lake_can_read_it(table: Path) -> None:
    """Its protocol asks for no feature beyond the first versions', which Spark reads too."""
    protocol = DeltaTable(table).protocol()
    assert (protocol.min_reader_version, protocol.min_writer_version) == (1, 2)
    assert not protocol.reader_features

"""The index has what the table has, and nothing else."""

import tracemalloc
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audiomnist.scoring.seen import SeenFiles
from audiomnist.scoring.table.history import RUN_ID
from audiomnist.scoring.table.schema import SCHEMA
from audiomnist.scoring.table.table import Table

THIS, OTHER = "a" * 64, "b" * 64
SIZE_BYTES = 8044
MODIFIED_NS = 1_795_417_987_381_000_001


def content(text: str) -> str:
    """Return a hash as in the table."""
    return sha256(text.encode()).hexdigest()


def rows(*paths: str, **changes: Any) -> pa.Table:
    """Return a row for each path; its content is that of its path."""
    return pa.Table.from_pylist([row(path, **changes) for path in paths], schema=SCHEMA)


def row(path: str, **changes: Any) -> dict[str, Any]:
    """Return a row as of a file that holds no sound."""
    return {
        "path": path,
        "content_sha256": content(path),
        "size_bytes": SIZE_BYTES,
        "modified_ns": MODIFIED_NS,
        "status": "rejected",
        "model": "cnn",
        "model_version": THIS,
        "dataset": "tones",
        "dataset_version": "1",
        "code_revision": "0.1.0",
        "run_id": "this",
        "scored_at": datetime(2026, 11, 23, tzinfo=UTC),
        **changes,
    }


@pytest.fixture
def table(tmp_path: Path) -> Table:
    """A table with a file that both models have scored, and a file of each that only it has."""
    table = Table.create(tmp_path / "table")
    table.append(rows("both", "only other", model_version=OTHER), {RUN_ID: "old"})
    table.append(rows("both", "only this"), {RUN_ID: "new"})
    return table


def test_without_a_table_nothing_is_seen() -> None:
    """The first run of all scores every file."""
    nothing = SeenFiles.read(None, THIS)
    assert not nothing.has_stat("both", SIZE_BYTES, MODIFIED_NS)
    assert not nothing.has_row("both", content("both"))


def test_a_file_is_recognized_by_its_path_size_and_time(table: Table) -> None:
    """All three, to the nanosecond."""
    files = SeenFiles.read(table, THIS)
    assert files.has_stat("both", SIZE_BYTES, MODIFIED_NS)
    assert not files.has_stat("another", SIZE_BYTES, MODIFIED_NS)
    assert not files.has_stat("both", SIZE_BYTES + 1, MODIFIED_NS)
    assert not files.has_stat("both", SIZE_BYTES, MODIFIED_NS + 1)


def test_a_row_is_recognized_by_its_path_and_content(table: Table) -> None:
    """A file that was altered and one that was copied are new; a file without content is recognized by its path."""
    table.append(rows("link", content_sha256=None), {RUN_ID: "link"})
    files = SeenFiles.read(table, THIS)
    assert files.has_row("both", content("both"))
    assert not files.has_row("both", content("altered"))
    assert not files.has_row("copy of both", content("both"))
    assert files.has_row("link", None)
    assert not files.has_row("both", None)
    assert not files.has_row("link", content("link"))


def test_another_models_files_are_new_only_when_everything_is_scored_again(table: Table) -> None:
    """A new model alone does not make old files new."""
    for path, by_this in [("both", True), ("only this", True), ("only other", False)]:
        files, again = SeenFiles.read(table, THIS), SeenFiles.read(table, THIS, rescore=True)
        assert files.has_stat(path, SIZE_BYTES, MODIFIED_NS)
        assert files.has_row(path, content(path))
        assert again.has_stat(path, SIZE_BYTES, MODIFIED_NS) == by_this
        assert again.has_row(path, content(path)) == by_this


def test_each_of_many_rows_is_found_and_no_other() -> None:
    """Whatever the bytes of their hashes are, and however many batches they come in."""
    paths = [f"{number}.wav" for number in range(3_000)]
    files = SeenFiles(rows(*paths).to_batches(max_chunksize=700))
    assert all(files.has_stat(path, SIZE_BYTES, MODIFIED_NS) and files.has_row(path, content(path)) for path in paths)
    others = [f"{number}.flac" for number in range(3_000)]
    assert not any(files.has_stat(path, SIZE_BYTES, MODIFIED_NS) or files.has_row(path, None) for path in others)


def test_memory_does_not_grow_with_the_table() -> None:
    """What is known of the rows is in a file."""
    batch = rows(*(f"{number}.wav" for number in range(20_000))).to_batches()
    tracemalloc.start()
    files = SeenFiles(batch * 2)
    remaining, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert files.has_stat("19999.wav", SIZE_BYTES, MODIFIED_NS)
    assert remaining < 200_000


@given(first=st.text(), second=st.text(), size_bytes=st.integers(0, 2**40), modified_ns=st.integers(-(2**62), 2**62))
def test_no_path_is_taken_for_another(first: str, second: str, size_bytes: int, modified_ns: int) -> None:
    """Whatever characters it has, digits and blanks too."""
    files = SeenFiles(rows(first, size_bytes=size_bytes, modified_ns=modified_ns).to_batches())
    assert files.has_stat(first, size_bytes, modified_ns)
    assert files.has_stat(second, size_bytes, modified_ns) == (first == second)
    assert files.has_row(second, content(first)) == (first == second)
    assert not files.has_stat(f"{modified_ns} {first}", size_bytes, 0)

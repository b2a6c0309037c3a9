"""What the table has is known, and nothing else."""

import pickle
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from fake_table import InMemory
from hypothesis import given
from hypothesis import strategies as st

from audiomnist.scoring import seen
from audiomnist.scoring.seen import Keys, Known, content_key
from audiomnist.scoring.table.history import RUN_ID
from audiomnist.scoring.table.schema import SCHEMA
from audiomnist.scoring.table.table import Table

THIS, OTHER = "a" * 64, "b" * 64
SIZE_BYTES = 8044
MODIFIED_NS = 1_795_417_987_381_000_001

# Many of the keys share a beginning or an end, and many end with zero bytes.
KEYS = st.lists(st.sampled_from([b"\0", b"\1", b"\xff"]), min_size=16, max_size=16).map(b"".join)


def content(text: str) -> str:
    """Return a hash as it stands in the table."""
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
    """A table with a file that both models have judged, and a file of each that only it has."""
    table = Table.create(tmp_path / "table")
    table.append(rows("both", "only other", model_version=OTHER), {RUN_ID: "old"})
    table.append(rows("both", "only this"), {RUN_ID: "new"})
    return table


@given(first=st.lists(KEYS), later=st.lists(st.lists(KEYS)), asked=st.lists(KEYS), most=st.integers(0, 5))
def test_keys_are_a_set(first: list[bytes], later: list[list[bytes]], asked: list[bytes], most: int) -> None:
    """Given at once or added bit by bit, sorted often or seldom, pickled or not."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(seen, "_MOST_UNSORTED", most)
        keys = Keys(bytearray(b"".join(first)))
        for more in later:
            keys.update(more)
    expected = set(first).union(*later)
    copied = pickle.loads(pickle.dumps(keys))  # noqa: S301 - its own pickle
    for key in [*asked, *expected]:
        assert (key in keys) == (key in copied) == (key in expected)


def test_a_million_keys_take_16_bytes_each() -> None:
    """What is pickled for another process is little more than the keys."""
    keys = Keys(bytearray(16_000_000))
    assert len(pickle.dumps(keys)) < 16_001_000


def test_without_a_table_nothing_is_known() -> None:
    """The first run of all scores every file."""
    nothing = Known.read(None, THIS)
    assert not nothing.has_stat("both", SIZE_BYTES, MODIFIED_NS)
    assert not nothing.has_row("both", content("both"))
    assert not nothing.has_content(content("both"))


def test_a_file_is_known_by_its_path_size_and_time(table: Table) -> None:
    """All three, to the nanosecond."""
    files = Known.read(table, THIS)
    assert files.has_stat("both", SIZE_BYTES, MODIFIED_NS)
    assert not files.has_stat("another", SIZE_BYTES, MODIFIED_NS)
    assert not files.has_stat("both", SIZE_BYTES + 1, MODIFIED_NS)
    assert not files.has_stat("both", SIZE_BYTES, MODIFIED_NS + 1)


def test_a_row_is_known_by_its_path_and_content(table: Table) -> None:
    """A file that was altered and one that was copied are new; a file without content is known by its path."""
    table.append(rows("link", content_sha256=None), {RUN_ID: "link"})
    files = Known.read(table, THIS)
    assert files.has_row("both", content("both"))
    assert not files.has_row("both", content("altered"))
    assert not files.has_row("copy of both", content("both"))
    assert files.has_row("link", None)
    assert not files.has_row("both", None)
    assert not files.has_row("link", content("link"))


@pytest.mark.parametrize("rescore", [False, True])
def test_a_content_is_known_if_this_model_has_judged_it(table: Table, rescore: bool) -> None:  # noqa: FBT001 - pytest's
    """Whatever counts as a row, another model's judgement is none of this one."""
    files = Known.read(table, THIS, rescore=rescore)
    assert files.has_content(content("both"))
    assert files.has_content(content("only this"))
    assert not files.has_content(content("only other"))
    assert content_key(content("both")) in files.contents
    assert content_key(content("only other")) not in files.contents


def test_another_models_files_are_new_only_when_everything_is_scored_again(table: Table) -> None:
    """A new model alone does not make old files new."""
    for path, by_this in [("both", True), ("only this", True), ("only other", False)]:
        files, again = Known.read(table, THIS), Known.read(table, THIS, rescore=True)
        assert files.has_stat(path, SIZE_BYTES, MODIFIED_NS)
        assert files.has_row(path, content(path))
        assert again.has_stat(path, SIZE_BYTES, MODIFIED_NS) == by_this
        assert again.has_row(path, content(path)) == by_this


def test_contents_that_are_added_are_known_as_if_they_had_been_read(table: Table) -> None:
    """So a run need not read the table again after each commit."""
    files = Known.read(table, THIS)
    new = pa.concat_tables([rows("new"), rows("link", content_sha256=None), rows("old", model_version=OTHER)])
    files.add_contents(new)
    table.append(new, {RUN_ID: "newest"})
    for path in ("new", "link", "old", "both", "absent"):
        for read in (files, Known.read(table, THIS)):
            assert read.has_content(content(path)) == (path in {"new", "both"})


@given(first=st.text(), second=st.text(), size_bytes=st.integers(0, 2**40), modified_ns=st.integers(-(2**62), 2**62))
def test_no_path_is_taken_for_another(first: str, second: str, size_bytes: int, modified_ns: int) -> None:
    """Whatever characters it has, digits and blanks too."""
    files = Known.read(InMemory(rows(first, size_bytes=size_bytes, modified_ns=modified_ns)), THIS)
    assert files.has_stat(first, size_bytes, modified_ns)
    assert files.has_stat(second, size_bytes, modified_ns) == (first == second)
    assert files.has_row(second, content(first)) == (first == second)
    assert not files.has_stat(f"{modified_ns} {first}", size_bytes, 0)

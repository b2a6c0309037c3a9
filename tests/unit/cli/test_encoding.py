"""Every command in a terminal that lacks the characters of a name: they are escaped, and nothing fails."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import small_bundles
from inbox_files import encoded, put, tone

STRANGE = "naïve 🎤 \u202e.wav"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle, an inbox, and a corpus, with names that are not ASCII."""
    folder = tmp_path_factory.mktemp("ñ 🎤")
    small_bundles.write("cnn", folder / "made").rename(folder / "bundle")
    put(folder / "inbox", STRANGE, encoded(tone(3)))
    put(folder / "inbox", "bad 🎤.wav", b"no sound")
    put(folder / "corpus", "3_zoe_0.wav", encoded(tone(3)))
    return folder


@pytest.mark.long
@pytest.mark.parametrize("encoding", ["ascii", "iso-8859-1"])
def test_no_command_fails_at_a_character(folder: Path, encoding: str, tmp_path: Path) -> None:
    """Status and text are as in UTF-8, but for escapes."""
    table = tmp_path / "tablé 🎤"
    score: list[str | Path] = ["score", folder / "inbox", "--into", table, "--model", folder / "bundle"]
    commands: list[list[str | Path]] = [
        score,
        [*score, "--json", "--csv", tmp_path / "ï.csv"],
        ["table", "show", table],
        ["table", "history", table],
        ["table", "export", table, "--to", tmp_path / "é.csv"],
        ["table", "vacuum", table],
        ["table", "verify", table],
        ["manifest", folder / "corpus", "--out", tmp_path / "ü.csv"],
        ["results"],
        ["protocols"],
        ["--help"],
        ["--version"],
    ]
    for command in commands:
        ended = run(command, encoding)
        assert (ended.returncode, b"Traceback" in ended.stderr) == (0, False), (command, ended.stderr)
    printed = run(["table", "show", table], encoding).stdout.decode(encoding)
    assert "\\U0001f3a4" in printed
    assert ("na\\xefve" if encoding == "ascii" else "naïve") in printed


@pytest.mark.parametrize("encoding", ["ascii", pytest.param("iso-8859-1", marks=pytest.mark.long)])
def test_an_error_is_reported_in_any_terminal(folder: Path, encoding: str) -> None:
    """With its status."""
    ended = run(["score", folder / "🎤", "--into", folder / "table", "--model", folder / "bundle"], encoding)
    assert ended.returncode == 2
    assert b"\\U0001f3a4" in ended.stderr
    ended = run(["table", "show", folder / "🎤"], encoding)
    assert ended.returncode == 1
    assert b"\\U0001f3a4" in ended.stderr


def run(command: list[str | Path], encoding: str) -> "subprocess.CompletedProcess[bytes]":
    """Run a command whose output has an encoding."""
    environment = os.environ | {"PYTHONIOENCODING": f"{encoding}:strict", "COLUMNS": "200"}
    line = [sys.executable, "-P", "-m", "audiomnist", *map(str, command)]
    root = Path(__file__).parents[3]
    return subprocess.run(line, check=False, capture_output=True, env=environment, cwd=root)

"""Every command has help, whichever way the program is started."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from click import unstyle
from runs import audiomnist

from audiomnist.cli import main

SCRIPT = Path(sys.executable).with_name("audiomnist")
COMMANDS = {
    (): {
        "score",
        "review",
        "table",
        "results",
        "protocols",
        "diff",
        "fresh",
        "manifest",
        "quickstart",
        "corpus",
        "devices",
        "record",
        "listen",
    },
    ("corpus",): {"add"},
    ("table",): {"show", "history", "report", "export", "verify", "vacuum"},
}
EACH = [(*group, name) for group, names in COMMANDS.items() for name in sorted(names)]


@pytest.mark.parametrize("program", [[sys.executable, "-m", "audiomnist"], [str(SCRIPT)]], ids=["module", "script"])
def test_help_names_every_command(program: list[str]) -> None:
    """With the module as with the script."""
    environment = os.environ | {"PYTHONPATH": str(Path(main.__file__).parents[2])}
    ended = subprocess.run([*program, "--help"], capture_output=True, text=True, check=False, env=environment)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert all(name in unstyle(ended.stdout) for name in COMMANDS[()])


@pytest.mark.parametrize("group", COMMANDS)
def test_no_command_is_missing_here(group: tuple[str, ...]) -> None:
    """The lists above are those of the program."""
    command = typer.main.get_command(main.app)
    for name in group:
        command = command.commands[name]  # type: ignore[attr-defined]
    assert set(command.commands) == COMMANDS[group]  # type: ignore[attr-defined]


@pytest.mark.parametrize("command", EACH, ids=" ".join)
def test_every_command_has_help(command: tuple[str, ...]) -> None:
    """Its usage, and what it does."""
    ended = audiomnist(*command, "--help")
    assert (ended.status, ended.err) == (0, "")
    assert f" {' '.join(command)} " in unstyle(ended.out).split("\n")[1]


def test_the_statuses_are_in_the_help() -> None:
    """For operators."""
    text = " ".join(audiomnist("score", "--help").out.split())
    for status in ("Status 0:", "2:", "3:", "4:", "5:", "6:", "7:", "8:", "130:"):
        assert status in text

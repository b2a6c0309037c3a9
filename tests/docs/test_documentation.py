"""The documentation says what the program does."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import committed
import typer

from audiomnist.cli import main
from audiomnist.report import tables

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = (
    *(ROOT / f"{name}.md" for name in ("README", "CONTRIBUTING", "SECURITY")),
    *sorted((ROOT / "docs").rglob("*.md")),
)


def table_in_git(page: str, command: str) -> str:
    """Return the table between the markers of a command, on a page in git, where the results are too."""
    text = (committed.ROOT / page).read_text(encoding="utf-8")
    return text.partition(f"<!-- {command}: audiomnist {command} --markdown -->\n")[2].partition(f"\n<!-- /{command}")[
        0
    ]


def test_the_results_table_of_the_readme_is_that_of_the_committed_run() -> None:
    """Not a digit is copied by hand."""
    shown = table_in_git("README.md", "results")
    assert shown == tables.results(committed.ROOT / "reports" / "comparison.json").markdown()


def test_the_table_of_the_protocols_is_that_of_the_committed_run() -> None:
    """Not a digit is copied by hand here either."""
    shown = table_in_git("docs/protocols.md", "protocols")
    assert shown == tables.protocols(committed.ROOT / "reports").markdown()


def test_the_readme_is_short() -> None:
    """At most 700 words, tables and diagram included."""
    assert len(README.split()) <= 700


def test_every_command_and_option_is_documented() -> None:
    """docs/cli.md names each command and each of its options."""
    text = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    group = typer.main.get_command(main.app)
    for name, command in group.commands.items():  # type: ignore[attr-defined]
        assert f"## audiomnist {name}" in text
        for parameter in command.params:
            assert parameter.name.upper() in text or any(option in text for option in parameter.opts), parameter.name


def test_every_make_target_named_in_the_docs_exists() -> None:
    """`make x` on a page is a target of the Makefile."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    named = {target for page in PAGES for target in re.findall(r"(?:^|`)make ([a-z-]+)", texts()[page], re.MULTILINE)}
    assert {target for target in named if not re.search(rf"^{target}:", makefile, re.MULTILINE)} == set()


def test_links_between_the_pages_lead_somewhere() -> None:
    """Every relative link is a file in the checkout, and its fragment a heading of that page."""
    assert [f"{page.name}: {target}" for page, target, there in links() if not there] == []


def test_the_modules_and_tests_that_the_threat_model_names_are_there() -> None:
    """Modules relative to the package, tests relative to their folder."""
    page = texts()[ROOT / "SECURITY.md"]
    named = re.findall(r"`((?:\w+/)+\w+(?:\.py)?)`", page)
    assert len(named) > 30
    folders = (ROOT / "src" / "audiomnist", ROOT / "tests", ROOT)
    assert [name for name in named if not any((folder / name).exists() for folder in folders)] == []


def texts() -> dict[Path, str]:
    """Return the text of each page."""
    return {page: page.read_text(encoding="utf-8") for page in PAGES}


def links() -> Iterator[tuple[Path, str, bool]]:
    """Yield each relative link of a page, and whether it leads somewhere."""
    anchors = {page: headings(text) for page, text in texts().items()}
    for page, text in texts().items():
        for target in re.findall(r"\]\((?!https?:)([^)]+)\)", text):
            path, _, fragment = target.partition("#")
            file = (page.parent / path).resolve() if path else page
            yield page, target, file.exists() and (not fragment or fragment in anchors.get(file, set()))


def headings(text: str) -> set[str]:
    """Return the fragments of a page's headings, as GitHub makes them."""
    lines = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", line.lower()).replace(" ", "-") for line in lines}


def test_every_dependency_is_explained() -> None:
    """docs/dependencies.md names each package that pyproject.toml asks for, those of the extras too."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [
        *project["dependencies"],
        *(name for names in project["optional-dependencies"].values() for name in names),
    ]
    listing = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    for package in {re.split(r"[^A-Za-z0-9._-]", name)[0] for name in wanted} - {"audiomnist"}:
        assert re.search(rf"\b{re.escape(package)}\b", listing), package

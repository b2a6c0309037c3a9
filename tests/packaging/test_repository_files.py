"""What hosts and tools read at the root of the repository agrees with what it describes."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def read(name: str) -> Any:
    """Return the content of a YAML file."""
    return YAML(typ="safe", pure=True).load((ROOT / name).read_text(encoding="utf-8"))


def test_the_citation_is_of_this_version() -> None:
    """And names the licence."""
    citation = read("CITATION.cff")
    assert (citation["version"], citation["license"]) == (PROJECT["version"], PROJECT["license"])


def test_a_commit_passes_what_make_check_does() -> None:
    """The hooks are its commands, in its order."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    commands = re.findall(r"^\t(.+)$", makefile.partition("\ncheck: ")[2].partition("\n\n")[0], re.MULTILINE)
    (repository,) = read(".pre-commit-config.yaml")["repos"]
    assert [hook["entry"] for hook in repository["hooks"]] == commands
    assert {hook["language"] for hook in repository["hooks"]} == {"system"}


@pytest.mark.parametrize("form", sorted((ROOT / ".github" / "ISSUE_TEMPLATE").iterdir()), ids=lambda form: form.stem)
def test_a_form_is_short_and_asks_for_what_is_needed(form: Path) -> None:
    """Every field is required."""
    content = read(str(form.relative_to(ROOT)))
    assert content.keys() == {"name", "description", "labels", "body"}
    assert 0 < len(content["body"]) <= 3
    assert all(field["validations"]["required"] and field["attributes"]["label"] for field in content["body"])

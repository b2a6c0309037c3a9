"""The commands of docs/registry.md, typed in their order into a repository with two versions of a model."""

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import small_bundles
from checkout import ROOT, Checkout
from dvc.repo import Repo
from gto.tag import parse_name
from inbox_files import put_good
from ruamel.yaml import YAML
from runs import rows

from audiomnist.serving.bundle.description import describe

PAGE = (ROOT / "docs" / "registry.md").read_text(encoding="utf-8")
ARTIFACTS: dict[str, Any] = YAML(typ="safe", pure=True).load((ROOT / "dvc.yaml").read_text())["artifacts"]
SELECT = {
    "cmd": "mkdir -p models && cp -r trained models/selected",
    "deps": ["trained"],
    "outs": [{"models/selected": {"cache": False}}],
}


def blocks(section: str) -> list[str]:
    """Return the blocks of commands of a section."""
    return re.findall(r"```\n(.+?)```", PAGE.partition(f"\n## {section}\n")[2].partition("\n## ")[0], re.DOTALL)


class Registry:
    """A repository with two versions of a model: v1.1.0 is in prod, and the last commit has another model."""

    def __init__(self, folder: Path) -> None:
        self.checkout = Checkout(folder / "repository")
        self.folder = self.checkout.folder
        self.folder.mkdir()
        self.table = folder / "table"
        self.time_s = 1_800_000_000
        put_good(folder / "inbox", 3)
        for command in (
            "git init -q -b main",
            "dvc init -q",
            "git config user.name test",
            "git config user.email test@example.org",
            f"git init -q --bare {folder}/origin",
            f"git remote add origin {folder}/origin",
        ):
            self.checkout.run(*command.split())
        with (self.folder / "dvc.yaml").open("w", encoding="utf-8") as file:
            YAML().dump({"stages": {"select": SELECT}, "artifacts": ARTIFACTS}, file)
        self.versions: dict[str, str] = {}  # of the hash that a table has
        for seed, version in enumerate(("v1.1.0", "v1.2.0")):
            served = small_bundles.write("cnn", folder / version, seed)
            shutil.copytree(served, self.folder / "trained", copy_function=shutil.copyfile, dirs_exist_ok=True)
            self.checkout.run("dvc", "repro", "-q")
            self.checkout.commit(version)
            self.versions[describe(served)[1]] = version
            if version == "v1.1.0":
                self.type(f"git tag -a digit-classifier@{version} -m first")
                self.type(f"git tag -a 'digit-classifier#prod#1' -m first 'digit-classifier@{version}^{{}}'")

    def type(self, line: str) -> str:
        """Type a line of the page, a second after the one before; return what it prints."""
        self.time_s += 1
        line = line.replace("INBOX", "../inbox").replace("TABLE", "../table")
        return self.checkout.run("env", f"GIT_COMMITTER_DATE=@{self.time_s} +0000", "sh", "-c", line)

    def version_in(self, folder: str) -> str:
        """Return the version of the model in a folder."""
        return self.versions[describe(self.folder / folder)[1]]

    def rows_of(self, version: str) -> int:
        """Return how many rows of the table a version of the model made."""
        made = [self.versions[row["model_version"]] for row in rows(self.table)]
        return made.count(version)


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    """The repository, in which the tests below go on one after the other."""
    return Registry(tmp_path_factory.mktemp("registry"))


@pytest.mark.long
def test_promote_use_and_roll_back(registry: Registry) -> None:
    """Every command of the page, in its order."""
    (promote,), (get, score, look), (back,) = (blocks(section) for section in ("Promote", "Use", "Roll back"))
    for line in (promote + get).splitlines():
        registry.type(line)
    assert (registry.version_in("served"), registry.version_in("version-1.2.0")) == ("v1.2.0", "v1.2.0")
    assert "digit-classifier#prod#2" in registry.checkout.run("git", "ls-remote", "origin")
    for line in score.splitlines():
        registry.type(line)
        assert registry.rows_of("v1.2.0") == len(rows(registry.table)) == 3
    listing, shown = (registry.type(line) for line in look.splitlines())
    assert "#prod#2 Serve v1.2.0" in listing.splitlines()[0]
    assert "v1.2.0" in shown
    for line in back.splitlines():
        registry.type(line)
    assert registry.version_in("served") == "v1.1.0"
    assert registry.rows_of("v1.1.0") == 3


@pytest.mark.long
def test_gto_makes_the_same_tags(registry: Registry) -> None:
    """Its commands are on the page too."""
    registry.type("git tag --delete digit-classifier@v1.2.0 'digit-classifier#prod#2' 'digit-classifier#prod#3'")
    for command in re.findall(r"`(gto (?:register|assign) [^`]+)`", PAGE):
        registry.type(command)
    tags = registry.checkout.run("git", "tag", "--list").split()
    assert {tag for tag in tags if "v1.2.0" in tag or tag.endswith("#2")} == {
        "digit-classifier@v1.2.0",
        "digit-classifier#prod#2",
    }


def test_the_artifact_is_the_served_model() -> None:
    """As DVC reads it."""
    (artifact,) = Repo(str(ROOT)).artifacts.read()["dvc.yaml"].values()
    assert artifact.path == "models/selected"
    assert describe(ROOT / artifact.path)


def test_the_tags_of_the_page_are_those_of_gto() -> None:
    """It parses every one."""
    tags = set(re.findall(r"digit-classifier[@#][\w.#]+", PAGE))
    assert len(tags) == 4
    assert [tag for tag in tags if not parse_name(tag, raise_on_fail=False)] == []

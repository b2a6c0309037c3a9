"""The lock files have what pyproject.toml asks for, with hashes; the list of the scorer's packages is of its lock."""

import json
import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import NamedTuple

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
LOCKS = {path.stem: path for path in sorted((ROOT / "requirements").glob("*.lock"))}
LIST_OF_PACKAGES = ROOT / "requirements" / "scorer.cdx.json"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PYTHONS = ("3.11", "3.12", "3.13")
MACHINES = ("x86_64", "aarch64")
HASH = re.compile(r"    --hash=sha256:[0-9a-f]{64}")


class Pin(NamedTuple):
    """A release in a lock file, the condition under which it is installed, and the SHA-256 of its files."""

    name: str
    version: str
    marker: Marker | None
    hashes: frozenset[str]


def pins(lock: str) -> list[Pin]:
    """Return the releases in a lock file; fail for a line that is neither of them nor a comment."""
    found = []
    text = LOCKS[lock].read_text(encoding="utf-8").replace(" \\\n", "\n")
    for block in re.split(r"\n(?=\S)", text.strip()):
        first, *others = [line for line in block.splitlines() if not line.lstrip().startswith("#")] or [""]
        if first:
            assert all(HASH.fullmatch(line) for line in others), block
            wanted = Requirement(first)
            (pin,) = wanted.specifier
            assert pin.operator == "=="
            assert (wanted.url, wanted.extras) == (None, set())
            hashes = frozenset(line.rpartition(":")[2] for line in others)
            found.append(Pin(canonicalize_name(wanted.name), pin.version, wanted.marker, hashes))
    return found


def installed(lock: str, python: str, machine: str) -> dict[str, str]:
    """Return the releases that are installed on Linux, by their names; fail if there are two of a package."""
    environment = {
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
        "python_version": python,
        "python_full_version": f"{python}.1",
        "platform_machine": machine,
        "platform_system": "Linux",
        "sys_platform": "linux",
        "os_name": "posix",
    }
    there = [pin for pin in pins(lock) if pin.marker is None or pin.marker.evaluate(environment)]
    versions = {pin.name: pin.version for pin in there}
    assert len(versions) == len(there)
    return versions


def asked_for(lock: str) -> list[Requirement]:
    """Return what pyproject.toml asks for, with the extras in an extra."""
    if lock == "build":
        return [Requirement(line) for line in PROJECT["build-system"]["requires"]]
    lines = list(PROJECT["project"]["dependencies"])
    extras = [] if lock == "scorer" else [lock]
    for extra in extras:
        for line in PROJECT["project"]["optional-dependencies"][extra]:
            wanted = Requirement(line)
            extras.extend(wanted.extras if wanted.name == PROJECT["project"]["name"] else ())
            lines.extend([line] if wanted.name != PROJECT["project"]["name"] else ())
    return [Requirement(line) for line in lines]


def test_there_is_one_for_each_thing_that_is_deployed() -> None:
    """And one for what builds the project."""
    assert LOCKS.keys() == {"build", "scorer", "cloud", "asr", "pipeline"}


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_satisfies_pyproject(lock: str, python: str, machine: str) -> None:
    """With one version of each package; `make lock` mends it."""
    there = installed(lock, python, machine)
    wanted = asked_for(lock)
    assert wanted
    assert [str(line) for line in wanted if there.get(canonicalize_name(line.name), "") not in line.specifier] == []


@pytest.mark.parametrize("lock", LOCKS)
def test_every_release_has_a_hash(lock: str) -> None:
    """Without which pip would install whatever it is given."""
    assert [pin.name for pin in pins(lock) if not pin.hashes] == []


@pytest.mark.parametrize("lock", LOCKS)
def test_no_lock_says_where_packages_come_from(lock: str) -> None:
    """Neither an index nor a file: that is for the one who installs to say."""
    text = LOCKS[lock].read_text(encoding="utf-8")
    assert re.findall(r"\w+://\S+|(?:^|\s)--(?!hash=)\S+|\s@\s.*|file:\S*", text) == []


@pytest.mark.parametrize("lock", ["cloud", "asr", "pipeline"])
def test_the_locks_of_extras_have_the_scorers_releases(lock: str) -> None:
    """So the scorer is the same one wherever it is installed."""
    for python in PYTHONS:
        scorer, larger = installed("scorer", python, "x86_64"), installed(lock, python, "x86_64")
        assert {name: version for name, version in scorer.items() if larger.get(name) != version} == {}


def test_what_builds_the_project_is_that_of_pyproject() -> None:
    """The lock of the build is made from a file, for which pyproject.toml has no extra."""
    lines = (ROOT / "requirements" / "build.txt").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if not line.startswith("#")] == PROJECT["build-system"]["requires"]


def test_the_list_of_the_scorers_packages_is_that_of_its_lock() -> None:
    """CycloneDX with names, versions and hashes; `make sbom` mends it."""
    content = json.loads(LIST_OF_PACKAGES.read_text(encoding="utf-8"))
    assert (content["bomFormat"], content["specVersion"]) == ("CycloneDX", "1.6")
    component = content["metadata"]["component"]
    assert (component["name"], component["version"]) == (PROJECT["project"]["name"], PROJECT["project"]["version"])
    listed = {
        (
            part["purl"],
            frozenset(entry["content"] for reference in part["externalReferences"] for entry in reference["hashes"]),
        )
        for part in content["components"]
    }
    assert listed == {(f"pkg:pypi/{pin.name}@{pin.version}", pin.hashes) for pin in pins("scorer")}


def test_the_list_is_what_the_tool_makes_and_finds_valid(tmp_path: Path) -> None:
    """Byte for byte, where it is installed: `pip install -r requirements/tools.txt`."""
    if shutil.which("cyclonedx-py") is None:
        pytest.skip("cyclonedx-py is not installed")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8").replace("\\\n", "")
    (command,) = re.findall(r"^\t(cyclonedx-py .*)$", makefile, re.MULTILINE)
    again = tmp_path / LIST_OF_PACKAGES.name
    made = command.replace(f"requirements/{again.name}", str(again)).split()
    subprocess.run([*made, "--validate"], cwd=ROOT, check=True, capture_output=True)
    assert again.read_bytes() == LIST_OF_PACKAGES.read_bytes()

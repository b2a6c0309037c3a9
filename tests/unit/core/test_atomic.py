"""Files and folders appear whole, or not at all."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audiomnist.core import atomic

KILLED_WHILE_WRITING = """
import os, signal, sys
from pathlib import Path
from audiomnist.core import atomic
with atomic.replaced_file(Path(sys.argv[1])) as temporary:
    temporary.write_text("half of the new con")
    os.kill(os.getpid(), signal.SIGKILL)
"""
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """A file with content, alone in its folder."""
    path = tmp_path / "target"
    path.write_text("old", encoding="utf-8")
    return path


@pytest.fixture
def target_folder(tmp_path: Path) -> Path:
    """A folder with one file, alone in its own folder."""
    path = tmp_path / "target"
    path.mkdir()
    (path / "old").touch()
    return path


def names(folder: Path) -> list[str]:
    """Return the names in a folder, hidden files too."""
    return sorted(path.name for path in folder.iterdir())


def write_half(target: Path, error: type[BaseException]) -> None:
    """Write a part of a file, then raise."""
    with atomic.replaced_file(target) as temporary:
        temporary.write_text("half of the new con", encoding="utf-8")
        raise error


def fill_half(target: Path, error: type[BaseException]) -> None:
    """Fill a folder, then raise."""
    with atomic.replaced_directory(target) as temporary:
        (temporary / "new").touch()
        raise error


def test_new_content_takes_the_place_of_the_old(target: Path) -> None:
    """Until the block ends, a reader sees the old content; then the new, and no temporary file."""
    with atomic.replaced_file(target) as temporary:
        temporary.write_text("new", encoding="utf-8")
        assert target.read_text(encoding="utf-8") == "old"
    assert target.read_text(encoding="utf-8") == "new"
    assert names(target.parent) == ["target"]


def test_a_file_can_be_read_by_others(target: Path) -> None:
    """The restrictive mode of temporary files does not stay."""
    atomic.write_text(target, "new")
    assert target.stat().st_mode & 0o777 == 0o644


def test_folders_on_the_way_are_created(tmp_path: Path) -> None:
    """A target may stand in a folder that does not exist."""
    atomic.write_text(tmp_path / "a" / "b" / "target", "naïve")
    assert (tmp_path / "a" / "b" / "target").read_bytes() == "naïve".encode()


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_error_leaves_the_old_file_and_nothing_beside_it(target: Path, error: type[BaseException]) -> None:
    """Whatever ends the block early, the target keeps its content and the temporary file goes."""
    with pytest.raises(error):
        write_half(target, error)
    assert target.read_text(encoding="utf-8") == "old"
    assert names(target.parent) == ["target"]


def test_an_error_leaves_no_file_where_there_was_none(tmp_path: Path) -> None:
    """The target does not come into being."""
    with pytest.raises(RuntimeError):
        write_half(tmp_path / "target", RuntimeError)
    assert names(tmp_path) == []


def test_sigkill_leaves_the_old_file(target: Path) -> None:
    """A process that is killed while it writes has not touched the target."""
    ended = subprocess.run([sys.executable, "-c", KILLED_WHILE_WRITING, target], check=False)
    assert ended.returncode == -signal.SIGKILL
    assert target.read_text(encoding="utf-8") == "old"


def test_a_new_folder_takes_the_place_of_the_old(target_folder: Path) -> None:
    """Nothing of the old content stays, and others may read the new."""
    with atomic.replaced_directory(target_folder) as temporary:
        (temporary / "new").touch()
        assert names(target_folder) == ["old"]
    assert names(target_folder) == ["new"]
    assert names(target_folder.parent) == ["target"]
    assert target_folder.stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_error_leaves_the_old_folder_and_nothing_beside_it(target_folder: Path, error: type[BaseException]) -> None:
    """A folder that was being filled goes, with what is in it."""
    with pytest.raises(error):
        fill_half(target_folder, error)
    assert names(target_folder) == ["old"]
    assert names(target_folder.parent) == ["target"]


def test_what_a_killed_run_left_of_a_folder_is_removed_by_the_next(target_folder: Path) -> None:
    """And nothing else that looks like it."""
    for name in (".target.abcd_123", ".target.abcd_124.former"):
        (target_folder.parent / name).mkdir()
        (target_folder.parent / name / "half").touch()
    others = [".target", ".target.toolong89", ".target.csv.abcd1234", ".other.abcd1234"]
    for name in others:
        (target_folder.parent / name).mkdir()
    with atomic.replaced_directory(target_folder):
        pass
    assert names(target_folder.parent) == sorted([*others, "target"])


def test_an_error_leaves_no_folder_where_there_was_none(tmp_path: Path) -> None:
    """The target does not come into being."""
    with pytest.raises(RuntimeError):
        fill_half(tmp_path / "target", RuntimeError)
    assert names(tmp_path) == []


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_json_refuses_what_it_has_no_words_for(target: Path, number: float) -> None:
    """NaN and infinities raise, and the old file stays."""
    with pytest.raises(ValueError, match="JSON compliant"):
        atomic.write_json(target, {"accuracy": [0.5, number]})
    assert target.read_text(encoding="utf-8") == "old"
    assert names(target.parent) == ["target"]


@given(value=JSON)
def test_json_is_read_back_as_it_was_written(tmp_path_factory: pytest.TempPathFactory, value: Any) -> None:
    """Any value that JSON can hold survives, and the file ends with a line break."""
    target = tmp_path_factory.getbasetemp() / "value.json"
    atomic.write_json(target, value)
    text = target.read_text(encoding="utf-8")
    assert json.loads(text) == value
    assert text.endswith("\n")

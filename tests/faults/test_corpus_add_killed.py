"""`audiomnist corpus add` is killed: the corpus has all of the clips or none, and the next call adds them once."""

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import adding_killed
import pytest
import reviewed_clips
from dvc.repo import Repo

from audiomnist.corpus import manifest
from audiomnist.reviewed import files

PARAMETERS = Path(__file__).parents[2] / "params.yaml"
LABELS = {"a.wav": "3", "b.wav": "7", "c.wav": "7"}
NAMES = ["3_yan_0.wav", "7_yan_0.wav", "7_yan_1.wav"]
ADD = ("corpus", "add", "--speaker", "yan", "--inbox", "../inbox", "--reviews", "../labels-reviews")


@pytest.fixture
def checkout(tmp_path: Path, recordings: Path) -> Path:
    """A git repository with DVC that has the files which the command reads; beside it, three clips that were judged."""
    folder = tmp_path / "checkout"
    manifest.write(folder / "data" / "manifest.csv", manifest.describe_folder(recordings).recordings)
    manifest.write(folder / "data" / "reviewed.csv", [])
    shutil.copyfile(PARAMETERS, folder / "params.yaml")
    (folder / "dvc.yaml").write_text("stages: {}\n", encoding="utf-8")
    (folder / ".gitignore").write_text("/data/reviewed/\n", encoding="utf-8")
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    Repo.init(str(folder)).close()
    reviewed_clips.write(tmp_path, LABELS)
    return folder


def run(checkout: Path, *launcher: str) -> int:
    """Run the command; return its exit status."""
    return subprocess.run([sys.executable, *launcher, *ADD], cwd=checkout, check=False).returncode


@pytest.mark.long
@pytest.mark.parametrize(
    ("step", "moment", "call"),
    [
        pytest.param("copy", "before", 1, marks=pytest.mark.long),
        pytest.param("copy", "within", 2, marks=pytest.mark.long),
        pytest.param("version", "before", 1, marks=pytest.mark.long),
        ("version", "after", 1),
        pytest.param("listing", "within", 2, marks=pytest.mark.long),
        pytest.param("listing", "after", 2, marks=pytest.mark.long),
    ],
)
def test_the_next_call_makes_up_for_one_that_was_killed(checkout: Path, step: str, moment: str, call: int) -> None:
    """At any step: no row has no file, and after the next call nothing is there twice or left over."""
    status = run(checkout, adding_killed.__file__, step, moment, str(call))
    assert status == -(signal.SIGXFSZ if moment == "within" else signal.SIGKILL)
    data = checkout / "data"
    listed = manifest.read(data / "reviewed.csv")
    assert [row.file for row in listed] in ([], NAMES)
    files.check(data / "reviewed", listed)
    assert run(checkout, "-m", "audiomnist") == 0
    rows = manifest.read(data / "reviewed.csv")
    assert [row.file for row in rows] == NAMES
    manifest.verify(data / "reviewed", rows, "the folder")
    versioned = (data / "reviewed.dvc").read_text(encoding="utf-8")
    assert run(checkout, "-m", "audiomnist") == 0
    assert manifest.read(data / "reviewed.csv") == rows
    assert (data / "reviewed.dvc").read_text(encoding="utf-8") == versioned
    assert "nfiles: 3" in versioned

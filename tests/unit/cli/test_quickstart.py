"""What the quickstart prints about its results, and what make installs before it."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from audiomnist.cli import quickstart
from audiomnist.corpus import manifest

ROOT = Path(quickstart.__file__).parents[3]


def git(folder: Path, *arguments: str) -> None:
    """Run git in a folder."""
    identity = ("-c", "user.name=test", "-c", "user.email=test@example.org")
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


def report(checkout: Path, *, dataset: str = "FSDD", **accuracies: float) -> None:
    """Write the scores of models, all of them with the same interval."""
    (checkout / "reports" / "evaluation").mkdir(parents=True, exist_ok=True)
    for name, accuracy in accuracies.items():
        scores = {"dataset": dataset, "accuracy": accuracy, "accuracy_low": 0.94, "accuracy_high": 0.98}
        path = checkout / "reports" / "evaluation" / f"{name}.json"
        path.write_text(json.dumps({name: scores}), encoding="utf-8")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a git checkout with the scores of a cnn and an rnn, and none of the others."""
    git(tmp_path, "init", "-q")
    for folder in ("models", "reports"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "file").touch()
    (tmp_path / "dvc.lock").touch()
    report(tmp_path, cnn=0.96, rnn=0.96)
    git(tmp_path, "add", "--all")
    git(tmp_path, "commit", "-qm", "results")
    return tmp_path


def compared(checkout: Path, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Return the lines of the comparison, with single spaces."""
    quickstart.compare(checkout)
    return [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()[2:]]


def test_a_folder_that_is_no_checkout_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    """The error names the folder."""
    with pytest.raises(quickstart.QuickstartError, match=f"{tmp_path} is not a checkout of this repository"):
        quickstart.quickstart(tmp_path)
    assert not [*tmp_path.iterdir()]


def test_each_model_is_compared_with_the_committed_one(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In percentage points, and by the committed interval."""
    report(checkout, cnn=0.95, rnn=0.99, lstm=0.5, whisper=0.5, cascade=0.5)
    assert compared(checkout, capsys)[:3] == [
        "CNN on MFCC -1.0 points, inside the committed 95% interval, 94.0 to 98.0%",
        "RNN on MFCC +3.0 points, outside the committed 95% interval, 94.0 to 98.0%",
        "LSTM on text no results are committed",
    ]


def test_another_dataset_is_not_compared(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Synthetic voices say nothing about recordings."""
    report(checkout, dataset="synthetic", cnn=0.96, rnn=0.96, lstm=0.96, whisper=0.96, cascade=0.96)
    assert compared(checkout, capsys)[0] == "CNN on MFCC the committed results are of another dataset, FSDD"


def test_changed_results_can_be_kept_or_dropped(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Only if git sees a change."""
    report(checkout, lstm=0.96, whisper=0.96, cascade=0.96)
    git(checkout, "add", "--all")
    git(checkout, "commit", "-qm", "the others")
    assert len(compared(checkout, capsys)) == 5
    report(checkout, cnn=0.95)
    lines = compared(checkout, capsys)
    assert [line.split(":")[0] for line in lines[6:]] == ["keep them", "drop them"]


def test_synthetic_voices_are_used_without_the_reviewed_recordings(checkout: Path) -> None:
    """Whose files may be out of reach, too."""
    for name in ("params.yaml", "data/reviewed.csv", ".dvc/config"):
        (checkout / name).parent.mkdir(exist_ok=True)
        shutil.copyfile(ROOT / name, checkout / name)
    reviewed = checkout / "data" / "reviewed.csv"
    manifest.write(reviewed, [manifest.parse_name("7_yan_0.wav", "0" * 64)])
    git(checkout, "add", "--all")
    target = quickstart._synthetic(checkout)  # noqa: SLF001
    assert manifest.read(target / "data" / "reviewed.csv") == []
    assert len(manifest.read(reviewed)) == 1


@pytest.fixture
def unpacked(tmp_path: Path) -> Path:
    """Return a folder with the Makefile, and an environment whose python prints a line and fails on demand."""
    shutil.copyfile(ROOT / "Makefile", tmp_path / "Makefile")
    (tmp_path / "pyproject.toml").touch()
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/sh\necho Collecting torch\nexit ${STATUS:-0}\n")
    python.chmod(0o755)
    return tmp_path


def make(folder: Path, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run make in a folder."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("MAKE") and name != "V"}
    return subprocess.run(
        ["make", *arguments], cwd=folder, env=inherited | environment, check=False, capture_output=True, text=True
    )


def test_pip_is_quiet_unless_asked(unpacked: Path) -> None:
    """One line says what is installed."""
    quiet = make(unpacked, ".venv/installed")
    assert (quiet.returncode, quiet.stderr, quiet.stdout.count("\n")) == (0, "", 1)
    assert "Installing audiomnist and its pipeline in .venv: about 7 GB" in quiet.stdout
    assert "Collecting torch" in make(unpacked, "V=1", ".venv/installed-test").stdout


def test_pip_is_shown_where_it_fails(unpacked: Path) -> None:
    """And the next make tries again."""
    failed = make(unpacked, ".venv/installed", STATUS="1")
    assert failed.returncode != 0
    assert "Collecting torch" in failed.stderr
    assert not (unpacked / ".venv" / "installed").exists()


def test_without_git_nothing_is_installed(unpacked: Path) -> None:
    """An unpacked archive is no clone."""
    refused = make(unpacked, "quickstart")
    assert refused.returncode != 0
    assert "not a git clone" in refused.stderr
    assert refused.stdout == ""

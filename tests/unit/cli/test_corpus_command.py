"""What `audiomnist corpus add` says before it reads a clip; what it does is tested with DVC."""

from pathlib import Path

import pytest
import reviewed_clips
from runs import Ended, audiomnist


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with an inbox and judgements in it."""
    reviewed_clips.write(tmp_path, {"a.wav": "7"})
    monkeypatch.chdir(tmp_path)
    return tmp_path


def add(speaker: str = "yan") -> Ended:
    """Run the command."""
    return audiomnist("corpus", "add", "--reviews", "labels-reviews", "--inbox", "inbox", "--speaker", speaker)


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("speaker", ["", "a b", "a/b", "-a", "ä"])
def test_a_speaker_that_no_file_can_be_named_for_is_refused(speaker: str) -> None:
    """The option is named."""
    ended = add(speaker)
    assert ended.status == 2
    assert "--speaker" in ended.err


def test_another_folder_than_a_checkout_is_refused(folder: Path) -> None:
    """It is named, and nothing is written."""
    before = sorted(folder.rglob("*"))
    assert add() == Ended(1, "", f"audiomnist: {folder} is not a checkout of this repository: it has no dvc.yaml\n")
    assert sorted(folder.rglob("*")) == before

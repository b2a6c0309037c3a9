"""Reviewed clips become data: `audiomnist corpus add`, and the stages that follow, under the real git and DVC."""

import json
import re
import sys
from pathlib import Path

import pytest
import reviewed_clips
from checkout import ENVIRONMENT, Checkout

from audiomnist.review.judgements import Judgements

ADD = (sys.executable, "-m", "audiomnist", "corpus", "add")
LABELS = {"night/a.wav": "3", "night/b.wav": "no_digit", "night/c.wav": "8"}


@pytest.fixture
def clone(with_recordings: Checkout, monkeypatch: pytest.MonkeyPatch) -> Checkout:
    """A clone in which ingest and split are up to date, and no clip was reviewed."""
    monkeypatch.setitem(ENVIRONMENT, "PYTHONPATH", "src")
    return with_recordings


def options(folder: Path, labels: dict[str, str], first: int = 0) -> list[str]:
    """Write clips, other ones for each first number, and judgements; return the options of the command."""
    inbox, reviews = reviewed_clips.write(folder, labels, first)
    return ["--reviews", str(reviews), "--inbox", str(inbox), "--speaker", "yan"]


@pytest.mark.long
def test_two_clips_become_recordings_and_training_data(clone: Checkout, tmp_path: Path) -> None:
    """`dvc repro` of the two stages adds them, and leaves every other row of the split; a commit holds it all.

    A clone without the data is told how to get it. Running the command again adds nothing.
    """
    split = clone.folder / "data" / "split.csv"
    before = split.read_text(encoding="utf-8")
    version = corpus(clone)["version"]
    given = options(tmp_path, LABELS)
    printed = clone.run(*ADD, *given)
    assert printed == (
        "data/reviewed.csv: 2 recordings of yan added\n"
        "not added: no digit 1, in the corpus already 0\n"
        "\n"
        "Next:\n"
        '  git add data/reviewed.csv data/reviewed.dvc && git commit -m "Data: 2 recordings of yan"\n'
        "  dvc repro\n"
        "  dvc metrics diff\n"
    )
    assert clone.git_status() == {"data/reviewed.csv", "data/reviewed.dvc"}
    clone.commit("Data: 2 recordings of yan")
    assert clone.stages_run("repro", "ingest", "split") == {"check", "ingest", "split"}
    assert split.read_text(encoding="utf-8") == before + "3_yan_0.wav,3,yan,train\n8_yan_0.wav,8,yan,train\n"
    assert re.fullmatch(rf"{re.escape(version)} and 2 reviewed, [0-9a-f]{{12}}", corpus(clone)["version"])
    changed = json.loads(clone.run("dvc", "metrics", "diff", "--json", "--targets", "reports/data.json"))
    assert changed["reports/data.json"]["corpus.recordings"]["diff"] == 2
    assert "2 recordings of yan" not in clone.run(*ADD, *given)
    clone.commit("results")
    assert clone.git_status() == set()
    clone.run("git", "clone", "-q", str(clone.folder), str(tmp_path / "without"))
    without = Checkout(tmp_path / "without")
    more = options(tmp_path / "more", {"x.wav": "1"}, first=3)
    for command in (ADD + tuple(more), ("dvc", "repro", "ingest")):
        assert "reviewed.dvc` brings them, or `dvc pull" in without.run(*command, status=1)
    without.run("dvc", "config", "--local", "cache.dir", clone.run("dvc", "config", "cache.dir").strip())
    without.run("dvc", "checkout", "data/reviewed.dvc")
    assert "1 recording of yan added" in without.run(*ADD, *more)


@pytest.mark.long
def test_what_is_added_passes_the_gate(clone: Checkout, tmp_path: Path) -> None:
    """Few as the recordings of the speaker are; what the gate cannot accept was not added."""
    given = options(tmp_path, LABELS)
    for minute, name, seconds, gain in ((8, "long.wav", 4, 1), (9, "quiet.wav", 0.3, 1e-3)):
        content = reviewed_clips.clip(tmp_path / "inbox", name, 5, seconds, gain)
        Judgements.open(tmp_path / "labels-reviews").append([reviewed_clips.judged(name, content, "5", minute=minute)])
    printed = clone.run(*ADD, *given, status=1)
    assert "2 recordings of yan added" in printed
    assert printed.endswith(
        "audiomnist: 2 of 4 clips cannot be added:\n"
        "  long.wav: does not pass the gate: the duration is 0.1 to 3 s\n"
        "  quiet.wav: does not pass the gate: the peak is at least 0.005: not silent\n"
    )
    assert clone.stages_run("repro", "validate@recordings") >= {"validate@recordings"}


def corpus(checkout: Checkout) -> dict[str, str]:
    """Return what ingest reports of the corpus."""
    report = json.loads((checkout.folder / "reports" / "data.json").read_text(encoding="utf-8"))
    described: dict[str, str] = report["corpus"]
    return described

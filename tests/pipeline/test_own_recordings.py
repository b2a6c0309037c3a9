"""From a folder of recordings to metrics, as the page for users says."""

import json
import re
from pathlib import Path

import pytest
import soundfile
from checkout import ENVIRONMENT, ROOT, alter, copy_of_this_repository

from audiomnist.audio import waveform
from audiomnist.synthesis.corpus import SyntheticParams, write_corpus

PAGE = (ROOT / "docs" / "own-recordings.md").read_text(encoding="utf-8")
SPEAKERS = {"angus": "01", "clara": "02", "edgar": "03"}
RATE_HZ = 48_000


def write_recordings(folder: Path, work: Path) -> None:
    """Write recordings as AudioMNIST has them: a folder per speaker, 48 kHz."""
    work.mkdir()
    for row in write_corpus(work, list(SPEAKERS), SyntheticParams(seed=1, takes=4)):
        speaker = SPEAKERS[row.speaker]
        path = folder / speaker / f"{row.digit}_{speaker}_{row.take}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        samples = waveform.resampled(waveform.read(work / row.file), RATE_HZ)
        soundfile.write(path, samples, RATE_HZ, subtype="PCM_16")


@pytest.mark.long
def test_the_page_leads_from_a_folder_to_committed_metrics(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its five commands, with the small parameters of these tests; nothing is left uncommitted."""
    (tmp_path / "checkout").mkdir()
    checkout = copy_of_this_repository(tmp_path / "checkout")
    alter(checkout.folder / "params.yaml", {"data": {"source": "recordings"}})
    checkout.commit("recordings")
    write_recordings(tmp_path / "digits", tmp_path / "made")
    monkeypatch.setitem(ENVIRONMENT, "HOME", str(tmp_path))
    monkeypatch.setitem(ENVIRONMENT, "PYTHONPATH", "src")
    for name in ("AUTHOR", "COMMITTER"):
        monkeypatch.setitem(ENVIRONMENT, f"GIT_{name}_NAME", "Ann")
        monkeypatch.setitem(ENVIRONMENT, f"GIT_{name}_EMAIL", "ann@example.org")
    commands = re.search(r"```\n(.*?)```", PAGE, re.DOTALL)
    assert commands
    assert len(commands[1].splitlines()) == 5
    printed = checkout.run("bash", "-e", "-c", commands[1])
    assert "data/manifest.csv: recordings 120, speakers 3" in printed
    corpus = json.loads((checkout.folder / "reports" / "data.json").read_text(encoding="utf-8"))["corpus"]
    assert (corpus["dataset"], corpus["recordings"], corpus["speakers"]) == ("digits", 120, 3)
    assert re.search(r"cnn\.json +0?\.?\d", printed), printed
    assert checkout.git_status() == set()

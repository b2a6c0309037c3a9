"""The first run where the recordings cannot be had."""

from pathlib import Path

import pytest
from checkout import ENVIRONMENT, alter, copy_of_this_repository


@pytest.mark.long
def test_without_recordings_the_quickstart_speaks_its_own_and_leaves_git_clean(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says so, runs everything under build/synthetic, names the dataset, and scores twenty files."""
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setitem(ENVIRONMENT, name, "http://127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setitem(ENVIRONMENT, name, "")
    monkeypatch.setitem(ENVIRONMENT, "PYTHONPATH", "src")
    checkout = copy_of_this_repository(tmp_path)
    alter(tmp_path / "params.yaml", {"data": {"source": "recordings"}})
    checkout.commit("real recordings are asked for")
    printed = checkout.run("python", "-m", "audiomnist", "quickstart")
    assert "going on with synthetic voices in" in printed
    assert "Accuracy on synthetic voices (eSpeak NG)" in printed
    assert "of 20 right (synthetic voices (eSpeak NG))" in printed
    assert checkout.git_status() == set()
    again = checkout.run("python", "-m", "audiomnist", "quickstart")
    assert "19 stages unchanged: check, ingest" in again

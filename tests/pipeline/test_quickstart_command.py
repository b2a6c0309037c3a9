"""The quickstart on synthetic voices, which is the second run of every stage of the small pipeline."""

from pathlib import Path

import pytest
from checkout import ALL_STAGES, ENVIRONMENT, Checkout, alter, copy_of_this_repository
from ruamel.yaml import YAML


@pytest.mark.long
def test_without_recordings_the_quickstart_speaks_its_own_and_writes_the_bytes_of_another_run(
    reproduced: tuple[Checkout, set[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says so, runs every stage in build/synthetic, where no cache has its outputs, and scores twenty files.

    All hashes in dvc.lock are those of the small pipeline, which was run elsewhere; git sees no change.
    """
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
    locks = [
        YAML(typ="safe").load(folder / "dvc.lock") for folder in (reproduced[0].folder, tmp_path / "build/synthetic")
    ]
    outputs = [{name: stage["outs"] for name, stage in lock["stages"].items()} for lock in locks]
    assert outputs[0].keys() == ALL_STAGES
    assert outputs[0] == outputs[1]
    again = checkout.run("python", "-m", "audiomnist", "quickstart")
    assert f"{len(ALL_STAGES)} stages unchanged: check, ingest" in again

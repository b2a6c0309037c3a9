"""A small pipeline under the real dvc, run once for all tests."""

import json
import shutil
from pathlib import Path

import pytest
from checkout import Checkout, copy_of_this_repository
from shared_folders import shared


@pytest.fixture(scope="session")
def ingested(tmp_path_factory: pytest.TempPathFactory) -> tuple[Checkout, set[str]]:
    """The stages up to ingest and split, run once and committed, and their names."""

    def run(folder: Path) -> None:
        (folder / "checkout").mkdir()
        original = copy_of_this_repository(folder / "checkout")
        ran = original.stages_run("repro", "validate@recordings", "split")
        original.commit("the recordings")
        (folder / "ran.json").write_text(json.dumps(sorted(ran)), encoding="utf-8")

    return _of(shared(tmp_path_factory, "ingested", run))


@pytest.fixture(scope="session")
def reproduced(
    ingested: tuple[Checkout, set[str]], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Checkout, set[str]]:
    """The whole pipeline, run once and committed, and the names of the stages that ran."""
    original, ran_before = ingested

    def run(folder: Path) -> None:
        whole = Checkout(shutil.copytree(original.folder, folder / "checkout", symlinks=True))
        ran = ran_before | whole.stages_run("repro")
        whole.commit("results")
        (folder / "ran.json").write_text(json.dumps(sorted(ran)), encoding="utf-8")

    return _of(shared(tmp_path_factory, "reproduced", run))


def _of(folder: Path) -> tuple[Checkout, set[str]]:
    return Checkout(folder / "checkout"), {*json.loads((folder / "ran.json").read_text(encoding="utf-8"))}


@pytest.fixture
def with_recordings(ingested: tuple[Checkout, set[str]], tmp_path: Path) -> Checkout:
    """A clone of the small pipeline in which the recordings and the split are up to date."""
    return ingested[0].clone(tmp_path / "clone", "ingest", "split", "validate@recordings")


@pytest.fixture
def checkout(reproduced: tuple[Checkout, set[str]], tmp_path: Path) -> Checkout:
    """A clone of the small pipeline in which everything is up to date."""
    return reproduced[0].clone(tmp_path / "clone")

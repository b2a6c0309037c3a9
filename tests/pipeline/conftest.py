"""A small pipeline under the real dvc, run once for all tests."""

import shutil
from pathlib import Path

import pytest
from checkout import Checkout, copy_of_this_repository


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest file first: it ends last otherwise, with nothing beside it."""
    items.sort(key=lambda item: item.path.name != "test_small_pipeline.py")


@pytest.fixture(scope="session")
def ingested(tmp_path_factory: pytest.TempPathFactory) -> tuple[Checkout, set[str]]:
    """The stages up to ingest and split, run once and committed, and their names."""
    original = copy_of_this_repository(tmp_path_factory.mktemp("pipeline"))
    ran = original.stages_run("repro", "validate@recordings", "split")
    original.commit("the recordings")
    return original, ran


@pytest.fixture(scope="session")
def reproduced(
    ingested: tuple[Checkout, set[str]], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Checkout, set[str]]:
    """The whole pipeline, run once and committed, and the names of the stages that ran."""
    original, ran = ingested
    whole = Checkout(shutil.copytree(original.folder, tmp_path_factory.mktemp("whole") / "copy", symlinks=True))
    ran = ran | whole.stages_run("repro")
    whole.commit("results")
    return whole, ran


@pytest.fixture
def with_recordings(ingested: tuple[Checkout, set[str]], tmp_path: Path) -> Checkout:
    """A clone of the small pipeline in which the recordings and the split are up to date."""
    return ingested[0].clone(tmp_path / "clone", "ingest", "split", "validate@recordings")


@pytest.fixture
def checkout(reproduced: tuple[Checkout, set[str]], tmp_path: Path) -> Checkout:
    """A clone of the small pipeline in which everything is up to date."""
    return reproduced[0].clone(tmp_path / "clone")

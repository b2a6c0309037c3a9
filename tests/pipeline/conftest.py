"""A small pipeline under the real dvc, run once for all tests."""

from pathlib import Path

import pytest
from checkout import Checkout, copy_of_this_repository


@pytest.fixture(scope="session")
def reproduced(tmp_path_factory: pytest.TempPathFactory) -> tuple[Checkout, set[str]]:
    """The pipeline run once and committed, and the names of the stages that ran."""
    original = copy_of_this_repository(tmp_path_factory.mktemp("pipeline"))
    ran = original.stages_run("repro")
    original.commit("results")
    return original, ran


@pytest.fixture
def checkout(reproduced: tuple[Checkout, set[str]], tmp_path: Path) -> Checkout:
    """A clone of the small pipeline in which everything is up to date."""
    return reproduced[0].clone(tmp_path / "clone")

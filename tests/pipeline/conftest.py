"""A small pipeline under the real dvc, run once for all tests."""

import shutil
from pathlib import Path

import pytest
from checkout import Checkout, copy_of_this_repository


@pytest.fixture(scope="session")
def evaluated_cnn(tmp_path_factory: pytest.TempPathFactory) -> tuple[Checkout, set[str]]:
    """The stages up to the evaluation of the cnn, run once and committed, and their names."""
    original = copy_of_this_repository(tmp_path_factory.mktemp("pipeline"))
    ran = original.stages_run("repro", "evaluate@cnn")
    original.commit("the cnn")
    return original, ran


@pytest.fixture(scope="session")
def reproduced(
    evaluated_cnn: tuple[Checkout, set[str]], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Checkout, set[str]]:
    """The whole pipeline, run once and committed, and the names of the stages that ran."""
    original, ran = evaluated_cnn
    whole = Checkout(shutil.copytree(original.folder, tmp_path_factory.mktemp("whole") / "copy", symlinks=True))
    ran = ran | whole.stages_run("repro")
    whole.commit("results")
    return whole, ran


@pytest.fixture
def cnn_checkout(evaluated_cnn: tuple[Checkout, set[str]], tmp_path: Path) -> Checkout:
    """A clone of the small pipeline in which everything up to the evaluation of the cnn is up to date."""
    return evaluated_cnn[0].clone(tmp_path / "clone", "--with-deps", "evaluate@cnn")


@pytest.fixture
def checkout(reproduced: tuple[Checkout, set[str]], tmp_path: Path) -> Checkout:
    """A clone of the small pipeline in which everything is up to date."""
    return reproduced[0].clone(tmp_path / "clone")

"""The stage `page` under the real dvc."""

import shutil
from pathlib import Path

import page_inputs
import pytest
from checkout import ROOT, Checkout

REPRO = ("repro", "--single-item", "stages/page/dvc.yaml:page")


@pytest.fixture
def repository(tmp_path: Path) -> Checkout:
    """Return a repository with the stage and all that it reads, none of which other stages make."""
    inputs = page_inputs.write(tmp_path / "inputs")
    folder = tmp_path / "repository"
    shutil.move(inputs.reports, folder / "reports")
    shutil.move(inputs.folder, folder / "data")
    shutil.copytree(ROOT / "src", folder / "src", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "stages" / "page", folder / "stages" / "page", ignore=shutil.ignore_patterns("dvc.lock"))
    shutil.copyfile(ROOT / "stages" / "page.py", folder / "stages" / "page.py")
    for name in ("params.yaml", ".gitignore", ".dvcignore"):
        shutil.copyfile(ROOT / name, folder / name)
    (folder / "reports" / "model_card.md").unlink(missing_ok=True)
    checkout = Checkout(folder)
    checkout.run("git", "init", "-q", "-b", "main")
    checkout.run("dvc", "init", "-q")
    checkout.commit("inputs")
    return checkout


@pytest.mark.long
def test_make_page_runs_one_stage_once(repository: Checkout) -> None:
    """The page is in DVC's cache, the card in git; a second run has nothing to do, and a checkout brings the page."""
    assert repository.stages_run(*REPRO) == {"stages/page/dvc.yaml:page"}
    page = repository.folder / "reports" / "page" / "index.html"
    made = page.read_bytes()
    assert repository.git_status() == {"stages/page/dvc.lock", "reports/model_card.md"}
    assert repository.stages_run(*REPRO) == set()
    shutil.rmtree(page.parent)
    repository.run("dvc", "checkout", "stages/page/dvc.yaml:page")
    assert page.read_bytes() == made


@pytest.mark.long
def test_the_page_is_made_again_after_a_change_of_a_protocol(repository: Checkout) -> None:
    """And dvc names a report that is missing."""
    repository.run("dvc", *REPRO)
    unseen = repository.folder / "reports" / "unseen.json"
    unseen.write_text(unseen.read_text(encoding="utf-8").replace("0.952,", "0.953,", 1), encoding="utf-8")
    assert repository.stages_run(*REPRO) == {"stages/page/dvc.yaml:page"}
    unseen.unlink()
    assert "unseen.json" in repository.run("dvc", *REPRO, status=1)

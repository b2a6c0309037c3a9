"""The model of another commit, whatever the working tree contains."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import small_bundles
from inbox_files import encoded, put, tone
from runs import Ended, audiomnist, rows

from audiomnist.core.hashing import sha256_of
from audiomnist.serving import revision
from audiomnist.serving.bundle.description import BundleError

ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "DVC_"))},
    "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    "DVC_NO_ANALYTICS": "true",
}


class Repository:
    """A git and DVC repository with two versions of a bundle: the commit `old`, and the one that is checked out."""

    def __init__(self, folder: Path, bundles: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.run("git", "init", "-q", "-b", "main")
        self.run("dvc", "init", "-q")
        for version in ("old", "new"):
            for place in ("in_git", "in_dvc"):
                shutil.copytree(
                    bundles / version / "served", folder / place, copy_function=shutil.copyfile, dirs_exist_ok=True
                )  # with times of their own: git takes a file of the same size and second for the same
            self.run("dvc", "add", "-q", "in_dvc")
            self.run("git", "add", "--all")
            self.run("git", "-c", "user.name=test", "-c", "user.email=test@example.org", "commit", "-qm", version)
            self.run("git", "tag", version)

    def run(self, *command: str) -> None:
        """Run a command in it."""
        subprocess.run(command, cwd=self.folder, env=ENVIRONMENT, check=True, capture_output=True)


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make two versions of a small model, with a folder in its bundle, as a cascade has for each member."""
    folder = tmp_path_factory.mktemp("bundles")
    for seed, version in enumerate(("old", "new")):
        served = small_bundles.write("cnn", folder / version, seed)
        shutil.copytree(served, folder / version / "member")
        (folder / version / "member").rename(served / "member")
    return folder


@pytest.fixture(scope="module")
def repository(bundles: Path, tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """The repository, to be looked at only."""
    return Repository(tmp_path_factory.mktemp("revisions") / "repository", bundles)


@pytest.fixture
def score(tmp_path: Path) -> Callable[..., Ended]:
    """Return a function that scores an inbox of one file with a model."""
    put(tmp_path / "inbox", "3.wav", encoded(tone(3)))
    return lambda *options: audiomnist(
        "score", tmp_path / "inbox", "--into", tmp_path / "table", "--workers", 1, "--model", *options
    )


def hashes(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each file in a folder and below."""
    return {str(path.relative_to(folder)): sha256_of(path) for path in folder.rglob("*") if path.is_file()}


def version_of(folder: Path) -> str:
    """Return a bundle's version."""
    return sha256_of(folder / "bundle.json")


@pytest.mark.parametrize("place", ["in_git", "in_dvc"])
@pytest.mark.parametrize("rev", ["old", "HEAD~1", "new", "main"])
def test_the_bundle_is_that_of_the_revision(repository: Repository, bundles: Path, place: str, rev: str) -> None:
    """Whether git keeps it or DVC, and however the revision is named; it is gone afterwards."""
    expected = bundles / ("old" if rev in {"old", "HEAD~1"} else "new") / "served"
    with revision.bundle_of(repository.folder / place, rev) as folder:
        assert hashes(folder) == hashes(expected)
    assert not folder.exists()


def test_a_bundle_that_is_no_longer_there_can_be_read(repository: Repository, bundles: Path) -> None:
    """Its place in the working tree need not exist."""
    shutil.rmtree(repository.folder / "in_git")
    try:
        with revision.bundle_of(repository.folder / "in_git", "old") as folder:
            assert version_of(folder) == version_of(bundles / "old" / "served")
    finally:
        repository.run("git", "checkout", "-q", "in_git")


@pytest.mark.parametrize("place", ["in_git", "in_dvc"])
def test_the_command_takes_the_old_model_though_the_new_one_is_checked_out(
    repository: Repository, bundles: Path, score: Callable[..., Ended], tmp_path: Path, place: str
) -> None:
    """The rows say which it was, and the working tree does not change."""
    ended = score(repository.folder / place, "--rev", "old")
    assert (ended.status, ended.out) == (0, "")
    assert {row["model_version"] for row in rows(tmp_path / "table")} == {version_of(bundles / "old" / "served")}
    assert version_of(repository.folder / place) == version_of(bundles / "new" / "served")


def test_the_place_may_be_relative(
    repository: Repository, bundles: Path, score: Callable[..., Ended], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the default is."""
    monkeypatch.chdir(repository.folder)
    assert score("in_git", "--rev", "old").status == 0
    assert {row["model_version"] for row in rows(tmp_path / "table")} == {version_of(bundles / "old" / "served")}


@pytest.mark.parametrize(
    ("place", "rev", "message"),
    [
        ("in_git", "nonsense", "unknown Git revision 'nonsense'"),
        ("in_git", "0" * 40, "0" * 40),
        ("in_git", "--help", "--help"),
        ("nowhere", "old", "nowhere"),
    ],
)
def test_an_unknown_revision_or_bundle_is_an_error(
    repository: Repository, score: Callable[..., Ended], tmp_path: Path, place: str, rev: str, message: str
) -> None:
    """With status 4, in a sentence; no table is made."""
    ended = score(repository.folder / place, "--rev", rev)
    assert (ended.status, ended.out) == (4, "")
    assert ended.err.startswith(
        f"audiomnist score: {place} of revision {rev} cannot be read from {repository.folder}: "
    )
    assert message in ended.err
    assert ended.err.count("\n") == 1
    assert not (tmp_path / "table").exists()


def test_a_folder_outside_of_a_repository_is_an_error(
    bundles: Path, score: Callable[..., Ended], tmp_path: Path
) -> None:
    """It has no revisions."""
    model = bundles / "new" / "served"
    ended = score(model, "--rev", "old")
    assert ended.status == 4
    assert ended.err == f"audiomnist score: {model} is not in a DVC repository, so it has no revision old\n"
    assert not (tmp_path / "table").exists()


@pytest.mark.parametrize("lost", ["*", "*.dir", "*[!r]"])
def test_a_revision_whose_bundle_is_not_in_the_cache_is_an_error(
    repository: Repository, tmp_path: Path, lost: str
) -> None:
    """All of it, the listing of its files, or these themselves: they must be fetched first."""
    clone = Path(shutil.copytree(repository.folder, tmp_path / "clone"))
    for path in (clone / ".dvc" / "cache" / "files" / "md5").glob(f"*/{lost}"):
        path.unlink()
    with (
        pytest.raises(BundleError, match=r"in_dvc of revision old cannot be read .*dvc fetch"),
        revision.bundle_of(clone / "in_dvc", "old"),
    ):
        pytest.fail("there is nothing to read")

"""The command `audiomnist diff` on branches, tags, commits and experiments of a real git and DVC repository."""

import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from checkout import Checkout
from runs import Ended, audiomnist, tree

CNN, RNN = "data/predictions/cnn.parquet", "data/predictions/rnn.parquet"


def predictions(first_clip: int, wrong: range) -> pd.DataFrame:
    """Return twenty clips named for their numbers, from `first_clip` on, some of them with a wrong prediction."""
    clips = range(first_clip, first_clip + 20)
    rows = [(f"{clip}.wav", clip % 10, (clip + (clip in wrong)) % 10) for clip in clips]
    return pd.DataFrame(rows, columns=["file", "digit", "predicted"])


def predict(checkout: Checkout, first_clip: int, cnn_errors: int) -> None:
    """Replace the predictions: the cnn errs on the first clips, the rnn on the last; DVC keeps them."""
    wrong = {CNN: range(first_clip, first_clip + cnn_errors), RNN: range(first_clip + 19, first_clip + 20)}
    for name, clips in wrong.items():
        path = checkout.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        predictions(first_clip, clips).to_parquet(path, index=False)
    checkout.run("dvc", "add", "-q", CNN, RNN)


def replace(checkout: Checkout, content: bytes | pd.DataFrame) -> None:
    """Replace the cnn's predictions in the workspace alone."""
    path = checkout.folder / CNN
    path.unlink()
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        content.to_parquet(path, index=False)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A repository that tests only read.

    Tags: `empty`, without predictions; `released`, the first commit of `main`. Branches: `main`, 1 error of the cnn in
    20; `feature`, 8; `resplit`, other test clips in part; `elsewhere`, all others. Experiment `tried`, 4 errors.
    """
    checkout = Checkout(tmp_path_factory.mktemp("diff") / "repository")
    checkout.folder.mkdir()
    for command in ("git init -q -b main", "dvc init -q", "git config user.name test", "git config user.email t@e.org"):
        checkout.run(*command.split())
    checkout.commit("empty")
    checkout.run("git", "tag", "empty")
    predict(checkout, 0, 1)
    checkout.commit("main")
    checkout.run("git", "tag", "-a", "-m", "released", "released")
    for branch, first_clip, cnn_errors in (("feature", 0, 8), ("resplit", 5, 1), ("elsewhere", 100, 1)):
        checkout.run("git", "checkout", "-q", "-b", branch, "main")
        predict(checkout, first_clip, cnn_errors)
        checkout.commit(branch)
    checkout.run("git", "checkout", "-q", "main")
    predict(checkout, 0, 4)
    checkout.run("dvc", "exp", "save", "-q", "--name", "tried")
    checkout.run("git", "checkout", "-q", ".")
    checkout.run("dvc", "checkout", "-q")
    assert checkout.git_status() == set()
    return checkout


@pytest.fixture
def copy(original: Checkout, tmp_path: Path) -> Checkout:
    """A copy of it, to be changed."""
    return Checkout(Path(shutil.copytree(original.folder, tmp_path / "copy", symlinks=True)))


def diff(checkout: Checkout, *arguments: object) -> Ended:
    """Run the command on a checkout's predictions."""
    return audiomnist("diff", *arguments, "--predictions", checkout.folder / "data" / "predictions")


def compared(checkout: Checkout, *arguments: object) -> dict[str, Any]:
    """Return what the command prints as JSON."""
    ended = diff(checkout, *arguments, "--json")
    assert (ended.status, ended.err) == (0, "")
    found: dict[str, Any] = json.loads(ended.out)
    return found


def refused(ended: Ended) -> str:
    """Return the sentence with which the command fails."""
    assert (ended.status, ended.out) == (1, "")
    assert ended.err.startswith("audiomnist: ")
    assert ended.err.count("\n") == 1
    return ended.err


class TestTwoBranches:
    """What a reviewer types."""

    def test_the_table_has_a_row_per_model(self, original: Checkout) -> None:
        """Typed in the checkout, on a terminal of 120 columns; DVC adds nothing to it."""
        lines = original.run("env", "COLUMNS=120", "audiomnist", "diff", "main", "feature").splitlines()
        assert lines[0].strip() == "Test clips in common"
        cells = [[cell.strip() for cell in line.strip("│").split("│")] for line in lines if line.startswith("│")]
        assert cells == [
            ["cnn", "20", "95.00%", "60.00%", "-35.00", "7", "0", "0.0156"],
            ["rnn", "20", "95.00%", "95.00%", "+0.00", "0", "0", "1"],
        ]
        assert lines[-1].startswith("└")

    def test_json_has_the_same(self, original: Checkout) -> None:
        """And the size of each test part."""
        found = compared(original, "main", "feature")
        assert (found["first"], found["second"], found["notes"]) == ("main", "feature", {})
        assert list(found["models"]) == ["cnn", "rnn"]
        assert found["models"]["cnn"] == {
            "clips": 20,
            "first_clips": 20,
            "second_clips": 20,
            "only_first": 7,
            "only_second": 0,
            "first_accuracy": 0.95,
            "second_accuracy": 0.6,
            "difference_points": -35.0,
            "mcnemar_p": 0.015625,
        }

    def test_markdown_has_the_same(self, original: Checkout) -> None:
        """For a pull request, under the names of the revisions."""
        assert diff(original, "main", "feature", "--markdown", "--model", "cnn").out == (
            "| model | clips | main | feature | points | only first right | only second right | McNemar p |\n"
            "| --- | --- | --- | --- | --- | --- | --- | --- |\n"
            "| cnn | 20 | 95.00% | 60.00% | -35.00 | 7 | 0 | 0.0156 |\n"
        )

    def test_nothing_is_written_or_checked_out(self, copy: Checkout) -> None:
        """Neither in the working tree nor in the cache."""
        before = tree(copy.folder / "data"), tree(copy.folder / ".dvc" / "cache")
        assert compared(copy, "feature", "resplit")["models"]["cnn"]["clips"] == 15
        assert (tree(copy.folder / "data"), tree(copy.folder / ".dvc" / "cache")) == before
        assert copy.git_status() == set()


class TestRevisions:
    """Whatever git and DVC have a name for."""

    @pytest.mark.parametrize(
        ("revision", "only_main"), [("released", 0), ("tried", 3), ("feature~1", 0), ("feature", 7)]
    )
    def test_a_tag_an_experiment_a_commit_and_a_branch(self, original: Checkout, revision: str, only_main: int) -> None:
        """Each has its own predictions."""
        assert compared(original, "main", revision)["models"]["cnn"]["only_first"] == only_main

    def test_a_commit_by_its_short_hash(self, original: Checkout) -> None:
        """As git prints it."""
        commit = original.run("git", "rev-parse", "--short", "feature").strip()
        assert compared(original, "main", commit)["models"]["cnn"]["only_first"] == 7

    def test_without_a_second_the_workspace_is_compared(self, copy: Checkout) -> None:
        """As the files are, committed or not."""
        assert compared(copy, "main")["models"]["cnn"]["only_first"] == 0
        replace(copy, predictions(0, range(6)))
        found = compared(copy, "main")
        assert (found["second"], found["models"]["cnn"]["only_first"]) == ("workspace", 5)

    def test_predictions_that_git_keeps_can_be_compared(self, copy: Checkout) -> None:
        """A repository may have them uncached."""
        copy.run("git", "checkout", "-q", "-b", "uncached")
        copy.run("dvc", "remove", "-q", f"{CNN}.dvc")
        replace(copy, predictions(0, range(3)))
        copy.commit("uncached")
        assert CNN in copy.run("git", "ls-files")
        assert compared(copy, "main", "uncached")["models"]["cnn"]["only_first"] == 2

    def test_a_dvc_repository_may_be_in_a_folder_of_the_git_repository(self, tmp_path: Path) -> None:
        """Revisions are those of the whole, predictions those of the folder."""
        inner = Checkout(tmp_path / "speech")
        inner.folder.mkdir()
        Checkout(tmp_path).run("git", "init", "-q", "-b", "main")
        inner.run("dvc", "init", "-q", "--subdir")
        for tag, errors in (("one", 1), ("three", 3)):
            predict(inner, 0, errors)
            inner.commit(tag)
            inner.run("git", "tag", tag)
        shutil.rmtree(inner.folder / "data")
        assert compared(inner, "one", "three")["models"]["cnn"]["only_first"] == 2

    def test_predictions_that_were_pushed_are_read_from_the_remote(self, copy: Checkout, tmp_path: Path) -> None:
        """Where the revision names one."""
        copy.run("dvc", "remote", "add", "-q", "--default", "storage", str(tmp_path / "storage"))
        copy.commit("a remote")
        copy.run("dvc", "push", "-q")
        shutil.rmtree(copy.folder / ".dvc" / "cache")
        assert compared(copy, "main")["models"]["cnn"]["clips"] == 20


class TestOtherTestClips:
    """Splits that differ."""

    def test_those_in_common_are_compared_and_counted(self, original: Checkout) -> None:
        """The cnn's error moved with the split: it is on the first clip, which is not in common."""
        found = compared(original, "main", "resplit")
        assert (found["models"]["cnn"]["clips"], found["models"]["cnn"]["first_accuracy"]) == (15, 1.0)
        assert "15 test clips are in common, of main's 20 and resplit's 20" in found["notes"]["cnn"]

    @pytest.mark.parametrize("form", [[], ["--markdown"]], ids=["table", "markdown"])
    def test_with_none_in_common_the_row_is_empty_and_a_note_says_why(
        self, original: Checkout, form: list[str]
    ) -> None:
        """The models cannot be compared."""
        ended = diff(original, "main", "elsewhere", *form)
        assert (ended.status, ended.err) == (0, "")
        assert "rnn: 0 test clips are in common, of main's 20 and elsewhere's 20 (another split" in ended.out
        assert "the models cannot be compared" in ended.out
        assert ended.out.replace("│", "|").replace(" ", "").count("|0|-|-|-|-|-|-|") == 2

    def test_the_same_names_with_other_labels_are_refused(self, copy: Checkout) -> None:
        """They are other recordings."""
        replace(copy, predictions(0, range(1)).assign(digit=7))
        assert "has another label in the second revision, as 18 recordings have" in refused(diff(copy, "main"))


class TestModels:
    """Which of them."""

    def test_only_those_that_are_named(self, original: Checkout) -> None:
        """In their order."""
        assert list(compared(original, "main", "feature", "--model", "rnn")["models"]) == ["rnn"]
        both = compared(original, "main", "feature", "--model", "rnn", "--model", "cnn")
        assert list(both["models"]) == ["rnn", "cnn"]

    def test_one_that_a_single_revision_has_is_noted(self, copy: Checkout) -> None:
        """The others are compared."""
        shutil.copyfile(copy.folder / CNN, copy.folder / "data" / "predictions" / "lstm.parquet")
        assert compared(copy, "main")["notes"] == {"lstm": "main has no predictions of it"}
        assert compared(copy, "workspace", "main")["notes"] == {"lstm": "main has no predictions of it"}

    def test_one_that_no_revision_has_is_refused(self, original: Checkout) -> None:
        """By the name of its file."""
        error = refused(diff(original, "main", "feature", "--model", "svm"))
        assert "main has no data/predictions/svm.parquet: dvc repro" in error


class TestErrors:
    """A sentence with the file, the reason and the remedy."""

    @pytest.mark.parametrize("revision", ["nonsense", "0" * 40, "main..feature", "[bold]", " "])
    def test_an_unknown_revision(self, original: Checkout, revision: str) -> None:
        """Of whatever form."""
        error = refused(diff(original, "main", revision))
        assert f"{revision} of {original.folder} cannot be read: unknown Git revision '{revision}'" in error
        assert "name a branch, a tag, a commit or an experiment" in error

    def test_a_revision_without_predictions(self, original: Checkout) -> None:
        """It is older than the pipeline."""
        error = refused(diff(original, "empty", "main"))
        assert f"empty has no {CNN} and no {RNN}" in error
        assert "dvc repro" in error

    @pytest.mark.parametrize("revision", ["feature", "tried", "workspace"])
    def test_predictions_that_are_not_in_the_cache(self, copy: Checkout, revision: str) -> None:
        """A clone has none until they are pulled or made."""
        shutil.rmtree(copy.folder / ".dvc" / "cache")
        (copy.folder / CNN).unlink()
        error = refused(diff(copy, revision, "main"))
        assert f"{CNN} of {revision} is neither in DVC's cache nor in its remote: " in error
        assert "dvc pull" in error
        assert "dvc repro" in error

    @pytest.mark.parametrize(
        "content",
        [
            b"",
            b"thesis",
            pd.DataFrame({"file": ["a.wav"], "predicted": [1]}),
            pd.concat([predictions(0, range(1))] * 2),
        ],
        ids=["nothing", "text", "no label", "clips twice"],
    )
    def test_a_file_that_is_no_table_of_predictions(self, copy: Checkout, content: bytes | pd.DataFrame) -> None:
        """Something else is in it."""
        replace(copy, content)
        error = refused(diff(copy, "main"))
        assert f"{CNN} of workspace is no table of file, digit and predicted with one row per file" in error

    def test_a_revision_whose_pipeline_cannot_be_read(self, copy: Checkout) -> None:
        """DVC's reason is in the sentence."""
        copy.run("git", "checkout", "-q", "-b", "broken")
        (copy.folder / "dvc.yaml").write_text("stages: [", encoding="utf-8")
        copy.commit("broken")
        error = refused(diff(copy, "main", "broken"))
        assert f"broken of {copy.folder} cannot be read: unable to read: 'dvc.yaml'" in error

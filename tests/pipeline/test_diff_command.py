"""The command `audiomnist diff` on branches, tags, commits and experiments of a real git and DVC repository."""

import json
import os
import shutil
import textwrap
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from checkout import Checkout
from runs import Ended, audiomnist, tree

# Twenty clips from `first_clip` on; the cnn errs on the first `cnn_errors` of them, the rnn on the last.
EVALUATE = """
    import sys
    from pathlib import Path
    import pandas as pd
    from ruamel.yaml import YAML

    split = YAML(typ="safe").load(Path("params.yaml"))
    clips = range(split["first_clip"], split["first_clip"] + 20)
    wrong = {"cnn": clips[: split["cnn_errors"]], "rnn": clips[-1:]}
    for path in map(Path, sys.argv[1:]):
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = [(f"{clip}.wav", clip % 10, (clip + (clip in wrong[path.stem])) % 10) for clip in clips]
        pd.DataFrame(rows, columns=["file", "digit", "predicted"]).to_parquet(path, index=False)
"""
PIPELINE = """
    stages:
      evaluate:
        cmd: python evaluate.py data/predictions/cnn.parquet data/predictions/rnn.parquet
        deps: [evaluate.py]
        params: [first_clip, cnn_errors]
        outs: [data/predictions/cnn.parquet, data/predictions/rnn.parquet]
"""
CNN = "data/predictions/cnn.parquet"


def parameters(folder: Path, first_clip: int, cnn_errors: int) -> None:
    """Write params.yaml."""
    (folder / "params.yaml").write_text(f"first_clip: {first_clip}\ncnn_errors: {cnn_errors}\n", encoding="utf-8")


def reproduce(checkout: Checkout, branch: str, first_clip: int, cnn_errors: int) -> None:
    """Run the pipeline with other parameters, on a branch of its own."""
    checkout.run("git", "checkout", "-q", "-b", branch)
    parameters(checkout.folder, first_clip, cnn_errors)
    checkout.run("dvc", "repro", "-q")
    checkout.commit(branch)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A repository, to be looked at only.

    Tag `planned`: the stage is there and has not run. Branches: `main`, 1 error of the cnn in 20; `feature`, 8;
    `resplit`, other test clips in part; `elsewhere`, all others. Experiment `tried`, 4 errors. `main` is checked out.
    """
    checkout = Checkout(tmp_path_factory.mktemp("diff") / "repository")
    checkout.folder.mkdir()
    for command in ("git init -q -b main", "dvc init -q", "git config user.name test", "git config user.email t@e.org"):
        checkout.run(*command.split())
    checkout.commit("empty")
    checkout.run("git", "tag", "empty")
    (checkout.folder / "evaluate.py").write_text(textwrap.dedent(EVALUATE), encoding="utf-8")
    (checkout.folder / "dvc.yaml").write_text(textwrap.dedent(PIPELINE), encoding="utf-8")
    parameters(checkout.folder, 0, 1)
    checkout.commit("planned")
    checkout.run("git", "tag", "planned")
    checkout.run("dvc", "repro", "-q")
    checkout.commit("main")
    for branch, first_clip, cnn_errors in (("feature", 0, 8), ("resplit", 5, 1), ("elsewhere", 100, 1)):
        reproduce(checkout, branch, first_clip, cnn_errors)
        checkout.run("git", "checkout", "-q", "main")
    checkout.run("dvc", "exp", "run", "-q", "-S", "cnn_errors=4", "--name", "tried")
    checkout.run("git", "checkout", "-q", "params.yaml", "dvc.lock")
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
    """Return the sentence in which the command says that there is nothing to be had."""
    assert (ended.status, ended.out) == (1, "")
    assert ended.err.startswith("audiomnist: ")
    assert ended.err.count("\n") == 1
    return ended.err


class TestTwoBranches:
    """What a reviewer types."""

    def test_the_table_has_a_row_per_model(self, original: Checkout) -> None:
        """Typed in the checkout, on a terminal of 120 columns; DVC adds nothing to it."""
        environment = ("env", "COLUMNS=120")
        lines = original.run(*environment, "audiomnist", "diff", "main", "feature").splitlines()
        assert lines[0].strip() == "Test clips in common: main (first), feature (second)"
        cells = [[cell.strip() for cell in line.strip("│").split("│")] for line in lines if line.startswith("│")]
        assert cells == [
            ["cnn", "20", "95.00%", "60.00%", "-35.00", "7", "0", "0.0156"],
            ["rnn", "20", "95.00%", "95.00%", "+0.00", "0", "0", "1"],
        ]
        assert lines[-1].startswith("└")

    def test_json_has_the_same(self, original: Checkout) -> None:
        """Nothing else is printed: it can be read as it is."""
        found = json.loads(original.run("audiomnist", "diff", "main", "feature", "--json"))
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

    @pytest.mark.parametrize(("revision", "only_main"), [("tried", 3), ("feature~1", 0), ("feature", 7)])
    def test_an_experiment_a_commit_and_a_branch(self, original: Checkout, revision: str, only_main: int) -> None:
        """Each has the predictions of its own parameters."""
        assert compared(original, "main", revision)["models"]["cnn"]["only_first"] == only_main

    def test_a_commit_by_its_hash(self, original: Checkout) -> None:
        """In short."""
        commit = original.run("git", "rev-parse", "--short", "feature").strip()
        assert compared(original, "main", commit)["models"]["cnn"]["only_first"] == 7

    def test_without_a_second_the_workspace_is_compared(self, copy: Checkout) -> None:
        """As the files are, committed or not."""
        assert compared(copy, "main")["models"]["cnn"]["only_first"] == 0
        parameters(copy.folder, 0, 6)
        copy.run("dvc", "repro", "-q")
        found = compared(copy, "main")
        assert (found["second"], found["models"]["cnn"]["only_first"]) == ("workspace", 5)

    def test_predictions_that_git_keeps_can_be_compared(self, copy: Checkout) -> None:
        """A repository may have them uncached."""
        pipeline = (copy.folder / "dvc.yaml").read_text(encoding="utf-8")
        (copy.folder / "dvc.yaml").write_text(pipeline.replace(f"[{CNN},", f"[{CNN}: {{cache: false}},"), "utf-8")
        (copy.folder / "data" / "predictions" / ".gitignore").write_text("/rnn.parquet\n", encoding="utf-8")
        reproduce(copy, "uncached", 0, 3)
        assert CNN in copy.run("git", "ls-files")
        assert compared(copy, "main", "uncached")["models"]["cnn"]["only_first"] == 2

    def test_a_dvc_repository_may_lie_in_a_folder_of_the_git_repository(self, tmp_path: Path) -> None:
        """Revisions are those of the whole, predictions those of the folder."""
        outer, inner = Checkout(tmp_path), Checkout(tmp_path / "speech")
        inner.folder.mkdir()
        outer.run("git", "init", "-q", "-b", "main")
        inner.run("dvc", "init", "-q", "--subdir")
        (inner.folder / "evaluate.py").write_text(textwrap.dedent(EVALUATE), encoding="utf-8")
        (inner.folder / "dvc.yaml").write_text(textwrap.dedent(PIPELINE), encoding="utf-8")
        for branch, errors in (("one", 1), ("three", 3)):
            reproduce(inner, branch, 0, errors)
        shutil.rmtree(inner.folder / "data")
        assert compared(inner, "one", "three")["models"]["cnn"]["only_first"] == 2


class TestOtherTestClips:
    """Splits that differ."""

    def test_those_in_common_are_compared_and_counted(self, original: Checkout) -> None:
        """The cnn's error moved with the split: it is on the first clip, which is not in common."""
        found = compared(original, "main", "resplit")
        assert (found["models"]["cnn"]["clips"], found["models"]["cnn"]["first_accuracy"]) == (15, 1.0)
        assert "15 are in common, of main's 20 and resplit's 20" in found["notes"]["cnn"]
        assert "cnn: the test clips differ" in " ".join(diff(original, "main", "resplit").out.split())

    @pytest.mark.parametrize("form", [[], ["--markdown"]], ids=["table", "markdown"])
    def test_with_none_in_common_it_says_that_they_cannot_be_compared(
        self, original: Checkout, form: list[str]
    ) -> None:
        """And why; the row is there, and empty."""
        ended = diff(original, "main", "elsewhere", *form)
        assert (ended.status, ended.err) == (0, "")
        said = "rnn: cannot be compared: none of main's 20 test clips is among elsewhere's 20 (another split,"
        assert [line for line in ended.out.splitlines() if line.startswith(said)] != []
        assert ended.out.replace("│", "|").replace(" ", "").count("|0|-|-|-|-|-|-|") == 2

    def test_the_same_names_with_other_labels_are_refused(self, copy: Checkout) -> None:
        """They are other recordings."""
        table = pd.read_parquet(copy.folder / CNN)
        copy.run("dvc", "unprotect", CNN)
        table.assign(digit=7).to_parquet(copy.folder / CNN)
        assert "not the same ones and cannot be compared" in refused(diff(copy, "main"))


class TestModels:
    """Which of them."""

    def test_only_those_that_are_named(self, original: Checkout) -> None:
        """In their order."""
        assert list(compared(original, "main", "feature", "--model", "rnn")["models"]) == ["rnn"]
        both = compared(original, "main", "feature", "--model", "rnn", "--model", "cnn")
        assert list(both["models"]) == ["rnn", "cnn"]

    def test_one_that_a_single_revision_has_is_told(self, copy: Checkout) -> None:
        """The others are compared."""
        shutil.copyfile(copy.folder / CNN, copy.folder / "data" / "predictions" / "lstm.parquet")
        assert compared(copy, "main")["notes"] == {"lstm": "main has no predictions of it"}
        assert compared(copy, "workspace", "main")["notes"] == {"lstm": "main has no predictions of it"}

    def test_one_that_none_has_is_told(self, original: Checkout) -> None:
        """Where it was asked for."""
        told = refused(diff(original, "main", "feature", "--model", "svm"))
        assert "main has no data/predictions/svm.parquet" in told


class TestWhatCannotBeHad:
    """A sentence that says what, where and what to do."""

    @pytest.mark.parametrize("revision", ["nonsense", "0" * 40, "main..feature", "[bold]"])
    def test_an_unknown_revision(self, original: Checkout, revision: str) -> None:
        """Of whatever form."""
        told = refused(diff(original, "main", revision))
        assert f"unknown Git revision '{revision}' in {original.folder}" in told
        assert "name a branch, a tag, a commit or an experiment" in told

    def test_a_revision_without_predictions(self, original: Checkout) -> None:
        """It was before there was a pipeline."""
        told = refused(diff(original, "empty", "main"))
        assert "empty has no data/predictions/cnn.parquet and no data/predictions/rnn.parquet" in told
        assert "dvc repro" in told

    def test_a_revision_whose_pipeline_was_not_run(self, original: Checkout) -> None:
        """DVC knows of the file, and has none."""
        told = refused(diff(original, "planned", "main"))
        commit = original.run("git", "rev-parse", "planned")[:10]
        assert f"{CNN} of planned is not in the DVC cache: git checkout {commit}, then" in told
        assert f"dvc pull {CNN}" in told
        assert "dvc repro" in told

    @pytest.mark.parametrize("revision", ["feature", "tried"])
    def test_predictions_that_are_not_in_the_cache(self, copy: Checkout, revision: str) -> None:
        """A clone has none until they are pulled or made, as the sentence says."""
        shutil.rmtree(copy.folder / ".dvc" / "cache")
        told = refused(diff(copy, revision))
        assert f"{CNN} of {revision} is not in the DVC cache: git checkout " in told
        copy.run("git", "checkout", "-q", told.partition("git checkout ")[2].partition(",")[0])
        copy.run("dvc", "repro", "-q")
        assert compared(copy, revision)["models"]["cnn"]["difference_points"] == 0

    def test_predictions_that_the_workspace_lost(self, copy: Checkout) -> None:
        """There is nothing to be checked out first."""
        shutil.rmtree(copy.folder / ".dvc" / "cache")
        shutil.rmtree(copy.folder / "data")
        told = refused(diff(copy, "workspace", "main"))
        assert f"{CNN} of workspace is not in the DVC cache: dvc pull" in told

    def test_predictions_that_were_pushed_are_read_from_the_remote(self, copy: Checkout, tmp_path: Path) -> None:
        """Where the revision names one."""
        copy.run("dvc", "remote", "add", "-q", "--default", "storage", str(tmp_path / "storage"))
        copy.commit("a remote")
        copy.run("dvc", "push", "-q", "--all-branches")
        shutil.rmtree(copy.folder / ".dvc" / "cache")
        assert compared(copy, "main")["models"]["cnn"]["clips"] == 20

    @pytest.mark.parametrize("content", [b"thesis", b""])
    def test_a_file_that_is_no_table(self, copy: Checkout, content: bytes) -> None:
        """Something else is in it."""
        copy.run("dvc", "unprotect", CNN)
        (copy.folder / CNN).write_bytes(content)
        assert f"{CNN} of workspace is no Parquet file: " in refused(diff(copy, "main"))

    def test_a_table_of_something_else(self, copy: Checkout) -> None:
        """There is no truth in it."""
        copy.run("dvc", "unprotect", CNN)
        pd.DataFrame({"file": ["a.wav"], "predicted": [1]}).to_parquet(copy.folder / CNN)
        assert f"{CNN} of workspace lacks one of file, digit, predicted: " in refused(diff(copy, "main"))

    def test_a_clip_that_stands_there_twice(self, copy: Checkout) -> None:
        """It would count twice."""
        copy.run("dvc", "unprotect", CNN)
        table = pd.read_parquet(copy.folder / CNN)
        pd.concat([table, table]).to_parquet(copy.folder / CNN)
        assert f"{CNN} of workspace has a clip twice" in refused(diff(copy, "main"))

    def test_a_revision_whose_pipeline_cannot_be_read(self, copy: Checkout) -> None:
        """DVC says why."""
        copy.run("git", "checkout", "-q", "-b", "broken")
        (copy.folder / "dvc.yaml").write_text("stages: [", encoding="utf-8")
        copy.commit("broken")
        ended = diff(copy, "main", "broken")
        assert (ended.status, ended.out) == (1, "")
        assert ended.err.startswith(f"audiomnist: broken of {copy.folder} cannot be read: ")

    def test_a_repository_without_git(self, tmp_path: Path) -> None:
        """It has a workspace, and no revisions."""
        checkout = Checkout(tmp_path)
        checkout.run("dvc", "init", "-q", "--no-scm")
        ended = diff(checkout, "main")
        assert (ended.status, ended.out) == (1, "")
        assert ended.err.startswith(f"audiomnist: main of {tmp_path} cannot be read: ")

    def test_a_git_repository_without_dvc(self, tmp_path: Path) -> None:
        """Nothing keeps predictions there."""
        Checkout(tmp_path).run("git", "init", "-q")
        assert "is in no DVC repository" in refused(diff(Checkout(tmp_path), "main"))


def test_the_folder_may_be_named_by_way_of_a_link(original: Checkout, tmp_path: Path) -> None:
    """Or of the parent folder."""
    (tmp_path / "link").symlink_to(original.folder)
    detour = Checkout(tmp_path / "link" / "data" / os.pardir)
    assert compared(detour, "main", "feature")["models"]["cnn"]["only_first"] == 7

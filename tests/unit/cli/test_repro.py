"""A pipeline that runs with a line for each stage."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from audiomnist.cli import repro
from audiomnist.cli.repro import StageError, reproduce

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:dvc.*")

PIPELINE = """
stages:
  split:
    desc: split into train and test
    cmd: cp raw split.csv && echo 30 clips
    deps: [raw]
    outs: [split.csv]
  train:
    foreach: [cnn]
    do:
      desc: train the network
      cmd: {train}
      deps: [split.csv, params]
      outs: [model]
"""


@pytest.fixture
def pipeline(tmp_path: Path) -> Path:
    """Return the dvc.yaml of two stages, split and train@cnn."""
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc" / "config").write_text("[core]\n    no_scm = true\n    analytics = false\n")
    (tmp_path / "raw").write_text("raw")
    (tmp_path / "params").write_text("params")
    return written(tmp_path / "dvc.yaml", "cat split.csv params > model")


def written(path: Path, train: str) -> Path:
    """Write the pipeline, with a command for the second stage."""
    path.write_text(PIPELINE.replace("{train}", train))
    return path


def printed(pipeline: Path, capfd: pytest.CaptureFixture[str]) -> list[str]:
    """Run a pipeline; return the lines that it and its stages print, with all times zero."""
    reproduce(pipeline)
    return re.sub(r"\d+ s$", "0 s", capfd.readouterr().out, flags=re.MULTILINE).splitlines()


def test_a_stage_has_a_line_then_its_output_then_its_time(pipeline: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """None of DVC's messages is among them."""
    assert printed(pipeline, capfd) == [
        "stage 1 of 2  split      split into train and test",
        "30 clips",
        "  0 s",
        "stage 2 of 2  train@cnn  train the network",
        "  0 s",
        "2 stages run in 0 s",
    ]


def test_stages_that_did_not_change_are_named_in_one_line(pipeline: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """They count as stages of the pipeline."""
    printed(pipeline, capfd)
    assert printed(pipeline, capfd) == ["2 stages unchanged: split, train@cnn", "0 stages run in 0 s"]
    (pipeline.parent / "params").write_text("others")
    assert printed(pipeline, capfd) == [
        "stage 2 of 2  train@cnn  train the network",
        "  0 s",
        "1 stage unchanged: split",
        "1 stage run in 0 s",
    ]


def test_a_stage_that_dvc_restores_has_its_line(pipeline: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """DVC's run cache has the outputs of former parameters."""
    for content in ("others", "params"):
        printed(pipeline, capfd)
        (pipeline.parent / "params").write_text(content)
    assert "stage 2 of 2  train@cnn  restore from DVC's cache" in printed(pipeline, capfd)
    assert (pipeline.parent / "model").read_text() == "rawparams"


def test_a_pipeline_counts_the_stages_of_others_that_it_needs(
    pipeline: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """It may be in a folder below, as the protocols are."""
    below = pipeline.parent / "below" / "dvc.yaml"
    below.parent.mkdir()
    below.write_text(
        "stages: {random: {desc: summarize the splits, wdir: .., cmd: cp model report, deps: [model], outs: [report]}}"
    )
    assert [line for line in printed(below, capfd) if line.startswith("stage ")] == [
        "stage 1 of 3  split      split into train and test",
        "stage 2 of 3  train@cnn  train the network",
        "stage 3 of 3  random     summarize the splits",
    ]


@pytest.mark.parametrize(("command", "status"), [("echo no memory; exit 7", 7), ("echo no memory; kill -9 $$", 137)])
def test_a_stage_that_fails_gives_its_output_and_its_exit_status(
    pipeline: Path, capfd: pytest.CaptureFixture[str], command: str, status: int
) -> None:
    """As a shell has it: of a signal, 128 and its number."""
    with pytest.raises(StageError, match=f"stage train@cnn failed with exit status {status}") as failed:
        printed(written(pipeline, command), capfd)
    assert failed.value.status == status
    assert "no memory" in capfd.readouterr().out.splitlines()


def test_what_dvc_cannot_run_is_its_error(pipeline: Path) -> None:
    """Its sentence is kept, and there is no exit status of a stage."""
    (pipeline.parent / "raw").unlink()
    with pytest.raises(StageError, match=r"No such file or directory: .*raw'") as failed:
        reproduce(pipeline)
    assert failed.value.status == 1


@pytest.mark.parametrize("verbose", [False, True])
def test_messages_of_dvc_are_printed_on_demand(pipeline: Path, verbose: bool) -> None:  # noqa: FBT001
    """The command of each stage, and what becomes of the lock file."""
    run = f"reproduce(Path('dvc.yaml').absolute(), verbose={verbose})"
    imports = "from pathlib import Path; from audiomnist.cli.repro import reproduce"
    out = subprocess.run(
        [sys.executable, "-c", f"{imports}; {run}"], cwd=pipeline.parent, check=True, capture_output=True, text=True
    ).stdout
    assert "stage 2 of 2  train@cnn" in out
    assert [text in out for text in ("> cat split.csv params > model", "Updating lock file")] == [verbose, verbose]


def test_every_stage_has_a_description() -> None:
    """Five words at most, in both pipelines."""
    root = Path(repro.__file__).parents[3]
    pipelines = [YAML().load(root / folder / "dvc.yaml") for folder in (".", "stages/protocols")]
    stages = [stage.get("do", stage) for pipeline in pipelines for stage in pipeline["stages"].values()]
    assert all(1 < len(stage["desc"].split()) <= 5 for stage in stages)

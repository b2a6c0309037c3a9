"""The command `audiomnist fresh` on two small pipelines of a real git and DVC repository, and in clones of it."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from checkout import Checkout
from runs import Ended, audiomnist

FILES = {
    "manifest.csv": "one.wav\ntwo.wav\n",
    "code/copy.sh": 'cat "$@"\n',
    "params.yaml": "train: {epochs: 2}\nseed: 0\n",
    "dvc.yaml": """\
vars:
- shell: exec sh
stages:
  ingest:
    cmd: ${shell} code/copy.sh manifest.csv > data.csv
    deps: [manifest.csv]
    outs: [data.csv]
  train:
    foreach: [cnn, rnn]
    do:
      cmd: mkdir -p models reports; cat data.csv params.yaml > models/${item}; cp models/${item} reports/${item}.txt
      deps: [data.csv, code]
      params: [train]
      outs:
      - models/${item}
      - reports/${item}.txt: {cache: false}
  compare:
    cmd: cat models/* reports/* > comparison.txt
    deps: [models, reports]
    outs:
    - comparison.txt: {cache: false}
""",
    "protocols/dvc.yaml": """\
stages:
  unseen:
    wdir: ..
    cmd: cat models/cnn comparison.txt > unseen.txt
    deps: [models/cnn, comparison.txt]
    outs:
    - unseen.txt: {cache: false}
""",
    ".gitignore": "/data.csv\n/models/\n",
}
UNSEEN = "protocols/dvc.yaml:unseen"
RUN = ["dvc", "repro", "--all-pipelines"]


@pytest.fixture(scope="module")
def reproduced(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """The repository after both pipelines ran, committed; tests only read it."""
    checkout = Checkout(tmp_path_factory.mktemp("fresh") / "repository")
    for name, content in FILES.items():
        (checkout.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (checkout.folder / name).write_text(content, encoding="utf-8")
    checkout.run("git", "init", "-q", "-b", "main")
    checkout.run("dvc", "init", "-q")
    checkout.run(*RUN)
    checkout.commit("results")
    return checkout


@pytest.fixture
def copy(reproduced: Checkout, tmp_path: Path) -> Checkout:
    """A copy with data and cache, to be changed."""
    return Checkout(Path(shutil.copytree(reproduced.folder, tmp_path / "copy", symlinks=True)))


@pytest.fixture
def clone(reproduced: Checkout, tmp_path: Path) -> Checkout:
    """A plain clone, to be changed: what git has, and no more."""
    reproduced.run("git", "clone", "-q", str(reproduced.folder), str(tmp_path / "clone"))
    assert not (tmp_path / "clone" / "data.csv").exists()
    return Checkout(tmp_path / "clone")


def fresh(checkout: Checkout) -> Ended:
    """Run the command."""
    return audiomnist("fresh", checkout.folder)


def stale(checkout: Checkout) -> list[str]:
    """Return the lines of the command, which ends with status 1."""
    ended = fresh(checkout)
    assert (ended.status, ended.err) == (1, "")
    return ended.out.splitlines()


def edit(checkout: Checkout, name: str, old: str, new: str) -> None:
    """Replace a text wherever it is in a file."""
    path = checkout.folder / name
    content = path.read_text(encoding="utf-8")
    assert old in content
    path.write_text(content.replace(old, new), encoding="utf-8")


def test_after_a_run_everything_is_fresh(copy: Checkout) -> None:
    """Of both pipelines."""
    assert fresh(copy) == Ended(0, "5 stages are fresh\n", "")


def test_without_data_and_cache_it_is_still_fresh(clone: Checkout) -> None:
    """As in any clone, where `dvc status` reports changes; nothing is written that git sees."""
    assert fresh(clone) == Ended(0, "5 stages are fresh\n", "")
    assert "deleted" in clone.run("dvc", "status")
    assert clone.git_status() == set()


def test_an_archive_without_git_will_do(clone: Checkout) -> None:
    """As hosts offer it for download."""
    shutil.rmtree(clone.folder / ".git")
    assert fresh(clone).status == 0


ANOTHER_VALUE = "has another value than the stage ran with"
EDITS = {
    "code": ("code/copy.sh", "cat", "exec cat", "code has changed since the stage ran", ["train@cnn", "train@rnn"]),
    "parameter": ("params.yaml", "2", "3", f"params.yaml:train {ANOTHER_VALUE}", ["train@cnn", "train@rnn"]),
    "no parameter": ("params.yaml", "train", "_", "params.yaml:train is missing", ["train@cnn", "train@rnn"]),
    "manifest": ("manifest.csv", "two", "2", "manifest.csv has changed since the stage ran", ["ingest"]),
    "interpolated": ("dvc.yaml", "exec sh", "sh", "dvc.yaml has another command than the stage ran", ["ingest"]),
    "new dep": ("dvc.yaml", "[manifest.csv]", "[manifest.csv, code]", "code was no dependency then", ["ingest"]),
    "new parameter": (
        "dvc.yaml",
        "[train]",
        "[train, seed]",
        "params.yaml:seed was not read then",
        ["train@cnn", "train@rnn"],
    ),
    "output": ("unseen.txt", "seed", "_", "unseen.txt is not what the stage wrote", [UNSEEN]),
}


@pytest.mark.parametrize(("name", "old", "new", "reason", "stages"), EDITS.values(), ids=EDITS)
def test_every_edit_is_found(clone: Checkout, name: str, old: str, new: str, reason: str, stages: list[str]) -> None:
    """In a clone: each stage that it concerns, and what to run."""
    edit(clone, name, old, new)
    assert stale(clone) == [f"{stage}: {reason}: dvc repro {stage}" for stage in stages]


def test_an_edited_output_is_found_at_the_stages_that_read_it_too(clone: Checkout) -> None:
    """In the other pipeline as well."""
    edit(clone, "comparison.txt", "seed", "_")
    assert stale(clone) == [
        "compare: comparison.txt is not what the stage wrote: dvc repro compare",
        f"{UNSEEN}: comparison.txt has changed since the stage ran: dvc repro {UNSEEN}",
    ]


def test_a_new_stage_is_found_and_what_would_read_its_output(clone: Checkout) -> None:
    """From a folder."""
    edit(clone, "dvc.yaml", "[cnn, rnn]", "[cnn, rnn, lstm]")
    assert stale(clone) == [
        "train@lstm: dvc.lock has no entry of this stage: dvc repro train@lstm",
        "compare: models is not what train@cnn, train@rnn, train@lstm last wrote: dvc repro compare",
    ]


def test_what_no_stage_reads_may_change(clone: Checkout) -> None:
    """A parameter, a file."""
    edit(clone, "params.yaml", "seed: 0", "seed: 1")
    (clone.folder / "README.md").write_text("new\n", encoding="utf-8")
    assert fresh(clone).status == 0


@pytest.mark.parametrize("name", ["manifest.csv", "code/copy.sh", "reports/cnn.txt"])
def test_a_missing_file_is_found(clone: Checkout, name: str) -> None:
    """Of a folder without its only file, the folder."""
    (clone.folder / name).unlink()
    assert stale(clone) != []


def ingest_alone(checkout: Checkout) -> None:
    """Run one stage on another manifest."""
    edit(checkout, "manifest.csv", "two", "three")
    checkout.run("dvc", "repro", "ingest")


def train_one_alone(checkout: Checkout) -> None:
    """Run one stage with other parameters."""
    edit(checkout, "params.yaml", "2", "3")
    checkout.run("dvc", "repro", "train@cnn")


@pytest.mark.long
@pytest.mark.parametrize(
    ("run", "expected"),
    [
        (
            ingest_alone,
            [
                "train@cnn: data.csv is not what ingest last wrote: dvc repro train@cnn",
                "train@rnn: data.csv is not what ingest last wrote: dvc repro train@rnn",
            ],
        ),
        (
            train_one_alone,
            [
                "train@rnn: params.yaml:train has another value than the stage ran with: dvc repro train@rnn",
                "compare: models is not what train@cnn, train@rnn last wrote: dvc repro compare",
                "compare: reports has changed since the stage ran: dvc repro compare",
                f"{UNSEEN}: models/cnn is not what train@cnn last wrote: dvc repro {UNSEEN}",
            ],
        ),
    ],
)
def test_a_stage_that_ran_on_an_earlier_output_is_found_without_the_output(
    copy: Checkout, tmp_path: Path, run: Callable[[Checkout], None], expected: list[str]
) -> None:
    """In a clone too, for a file, a folder of several stages' outputs, and the other pipeline; a run resolves it."""
    run(copy)
    copy.commit("one stage")
    copy.run("git", "clone", "-q", str(copy.folder), str(tmp_path / "clone"))
    assert stale(copy) == stale(Checkout(tmp_path / "clone")) == expected
    copy.run(*RUN)
    assert fresh(copy).status == 0


def test_an_entry_of_a_stage_that_is_gone_is_found(clone: Checkout) -> None:
    """DVC keeps it."""
    edit(clone, "dvc.yaml", "compare:", "contrast:")
    assert stale(clone) == [
        "contrast: dvc.lock has no entry of this stage: dvc repro contrast",
        "compare: dvc.lock has an entry of a stage that dvc.yaml does not have: delete it from the file",
    ]


def test_a_pipeline_that_never_ran_is_stale(clone: Checkout) -> None:
    """All of its stages."""
    (clone.folder / "protocols" / "dvc.lock").unlink()
    assert stale(clone) == [f"{UNSEEN}: protocols/dvc.lock has no entry of this stage: dvc repro {UNSEEN}"]


@pytest.mark.parametrize("name", ["dvc.lock", "dvc.yaml", "params.yaml"])
def test_a_file_with_a_merge_conflict_is_named(clone: Checkout, name: str) -> None:
    """In one sentence."""
    path = clone.folder / name
    path.write_text(f"<<<<<<< HEAD\n{path.read_text(encoding='utf-8')}", encoding="utf-8")
    ended = fresh(clone)
    assert (ended.status, ended.out) == (1, "")
    assert ended.err.startswith(f"audiomnist: the pipeline of {clone.folder} cannot be read: ")
    assert name in ended.err
    assert ended.err.count("\n") == 1


def test_another_folder_is_refused(tmp_path: Path) -> None:
    """It has no pipeline."""
    error = f"audiomnist: {tmp_path} is not a checkout of this repository: it has no dvc.yaml\n"
    assert audiomnist("fresh", tmp_path) == Ended(1, "", error)

"""The wheel, in an environment that has its base dependencies and nothing else."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import small_bundles
from inbox_files import encoded, put, tone
from runs import by_path, rows

from audiomnist.serving.bundle.description import describe

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text(encoding="utf-8")
ABSENT = ("torch", "dvc", "librosa", "great_expectations", "pandas", "scipy", "sklearn", "faster_whisper")
LARGEST_BYTES = 900e6

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel from the files that the image is built from; install it after its lock. Return its folder."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    for name in re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE):
        for path in name.split():
            copied(ROOT / path, source / path)
    pip = [sys.executable, "-m", "pip", "--quiet", "wheel", "--no-deps", "--wheel-dir", str(folder), str(source)]
    subprocess.run(pip, check=True)
    (wheel,) = folder.glob("audiomnist-*.whl")
    subprocess.run([sys.executable, "-m", "venv", str(folder / "environment")], check=True)
    install = [str(folder / "environment/bin/python"), "-m", "pip", "--quiet", "install", "--no-compile"]
    lock = str(source / "requirements" / "scorer.lock")
    subprocess.run([*install, "--require-hashes", "--requirement", lock], check=True, env=plain())
    subprocess.run([*install, "--no-deps", str(wheel)], check=True, env=plain())
    return folder / "environment"


@pytest.fixture
def run(environment: Path, tmp_path: Path) -> Run:
    """Return a function that runs a program of the environment, in an empty folder."""

    def run(program: str, *arguments: object, **variables: str) -> "subprocess.CompletedProcess[str]":
        command = [str(environment / "bin" / program), *map(str, arguments)]
        variables = plain() | variables
        return subprocess.run(command, cwd=tmp_path, env=variables, capture_output=True, text=True, check=False)

    return run


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    """Two WAV files and a FLAC file, of distinct sounds."""
    for digit, container in enumerate(("WAV", "WAV", "FLAC")):
        put(tmp_path / "inbox", f"{digit}.{container.lower()}", encoded(tone(digit), container=container))
    return tmp_path / "inbox"


def test_it_scores_with_the_model_that_it_brings(run: Run, inbox: Path, tmp_path: Path) -> None:
    """From any folder: that of the repository, which is not there."""
    ended = run("audiomnist", "score", "inbox", "--into", "table")
    assert ended.returncode == 0, ended.stderr
    _, version = describe(ROOT / "models" / "selected")
    scored = by_path(tmp_path / "table")
    assert scored.keys() == {path.name for path in inbox.iterdir()}
    assert {(row["status"], row["model_version"]) for row in scored.values()} == {("scored", version)}
    assert all(row["digit"] is not None for row in scored.values())


@pytest.mark.usefixtures("inbox")
def test_it_looks_after_a_table(run: Run, tmp_path: Path) -> None:
    """A second run finds nothing new, with several workers as with one; what `table` has works."""
    for workers in (1, 2):
        assert run("audiomnist", "score", "inbox", "--into", "table", "--workers", workers).returncode == 0
    assert len(rows(tmp_path / "table")) == 3
    assert run("audiomnist", "table", "show", "table").stdout.endswith("3 of 3 rows\n")
    runs = run("audiomnist", "table", "history", "table", "--json").stdout.splitlines()
    assert [json.loads(line)["summary"]["unchanged"] for line in runs] == [3, 0]
    for name in ("all.parquet", "all.csv", "all.jsonl"):
        assert run("audiomnist", "table", "export", "table", "--to", name).returncode == 0
    assert run("audiomnist", "table", "vacuum", "table").returncode == 0


def test_nothing_of_the_pipeline_is_installed(run: Run) -> None:
    """Neither PyTorch nor DVC, nor what they are used with."""
    program = f"import importlib.util as u; print([name for name in {ABSENT} if u.find_spec(name)])"
    assert run("python", "-c", program).stdout == "[]\n"


def test_it_is_small(environment: Path) -> None:
    """Python's own files apart, which the environment refers to."""
    assert sum(path.lstat().st_size for path in environment.rglob("*")) < LARGEST_BYTES


def test_it_says_its_version_and_its_model(run: Run) -> None:
    """With the beginning of the model's version, as tables have it."""
    ended = run("audiomnist", "--version")
    description, version = describe(ROOT / "models" / "selected")
    assert re.fullmatch(r"audiomnist \d+\.\d+\.\d+\nmodel .+, version \w{12}\n", ended.stdout)
    for text in (description.model, description.dataset.name, description.dataset.version, version[:12]):
        assert text in ended.stdout


@pytest.mark.parametrize(
    "command", [["diff", "main"], ["fresh"], ["quickstart"], ["table", "verify", "table"]], ids=" ".join
)
def test_a_command_that_needs_the_pipeline_says_so(run: Run, command: list[str]) -> None:
    """In a sentence that says what to install."""
    ended = run("audiomnist", *command)
    assert ended.returncode == 1
    assert re.fullmatch(r"audiomnist: the package \w+ is not installed: .*'audiomnist\[pipeline\]'.*\n", ended.stderr)


@pytest.mark.usefixtures("inbox")
def test_another_revisions_model_needs_the_pipeline(run: Run, tmp_path: Path) -> None:
    """DVC reads it; the table is not made."""
    (tmp_path / ".dvc").mkdir()
    ended = run("audiomnist", "score", "inbox", "--into", "table", "--rev", "main")
    assert_unusable(ended, "pipeline", tmp_path)


@pytest.mark.usefixtures("inbox")
def test_a_model_over_transcripts_needs_a_recognizer(run: Run, tmp_path: Path) -> None:
    """The extra asr has it; the table is not made."""
    model = small_bundles.write("lstm", tmp_path / "lstm")
    ended = run("audiomnist", "score", "inbox", "--into", "table", "--model", model)
    assert_unusable(ended, "asr", tmp_path)


def test_a_shell_completes_commands(run: Run) -> None:
    """As the script of `--show-completion` asks for it."""
    asked = {"_AUDIOMNIST_COMPLETE": "complete_bash", "COMP_WORDS": "audiomnist sc", "COMP_CWORD": "1"}
    assert run("audiomnist", **asked).stdout.split() == ["score"]


def test_no_color_is_respected(run: Run) -> None:
    """Help has colours on a terminal, and none with NO_COLOR."""
    colour = re.compile(r"\x1b\[(?:\d+;)*3\d")
    assert colour.search(run("audiomnist", "--help", FORCE_COLOR="1", TERM="xterm").stdout)
    assert not colour.search(run("audiomnist", "--help", FORCE_COLOR="1", TERM="xterm", NO_COLOR="1").stdout)


def assert_unusable(ended: "subprocess.CompletedProcess[str]", extra: str, folder: Path) -> None:
    """Check that a run ended with the status of a model that cannot be used, in one sentence."""
    assert (ended.returncode, ended.stdout) == (4, "")
    assert re.fullmatch(rf"audiomnist score: the package \w+ is not installed: .*\[{extra}\].*\n", ended.stderr)
    assert not (folder / "table").exists()


def copied(original: Path, copy: Path) -> None:
    """Copy a file, or a folder without what was compiled in it."""
    copy.parent.mkdir(parents=True, exist_ok=True)
    if original.is_dir():
        shutil.copytree(original, copy, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    else:
        shutil.copyfile(original, copy)


def plain() -> dict[str, str]:
    """Return an environment in which no other audiomnist is found."""
    return {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "NO_COLOR", "FORCE_COLOR"}}

"""What the pages on extending the project say, followed to the letter in a copy of it."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from checkout import ROOT, Checkout, copy_of_this_repository

Step = tuple[str, str, str]


def steps(page: str) -> Iterator[Step]:
    """Yield the blocks of a page: language, content, and the file that is named last before it."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    file = ""
    for named, language, content in re.findall(
        r"(?:In )?`([\w./]+\.(?:py|yaml))`[^\n]*:\n|```(\w*)\n(.+?)```", text, re.DOTALL
    ):
        if named:
            file = named
        else:
            yield language, content, file


def follow(page: str, folder: Path) -> list[str]:
    """Write and change the files of a page; return its Python that belongs into no file, and its commands."""
    left = []
    for language, content, file in steps(page):
        path = folder / file
        if language == "diff":
            apply(content, path)
        elif language == "python" and content.startswith('"""'):
            assert not path.exists()
            path.write_text(content, encoding="utf-8")
        else:
            left.append(content)
    return left


def apply(diff: str, path: Path) -> None:
    """Change a file as a diff without line numbers says; what it replaces is there once."""
    lines = diff.splitlines(keepends=True)
    old, new = ("".join(line[1:] for line in lines if line[0] in kept) for kept in (" -", " +"))
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1, f"{path}: {old}"
    path.write_text(text.replace(old, new), encoding="utf-8")


@pytest.fixture
def source(tmp_path: Path) -> Checkout:
    """A copy of this repository that runs nothing."""
    (tmp_path / "copy").mkdir()
    return copy_of_this_repository(tmp_path / "copy")


@pytest.mark.parametrize("page", ["extending.md", "adding-an-engine.md", "adding-a-layout.md"])
def test_the_code_of_a_page_does_what_the_page_asserts(page: str, source: Checkout) -> None:
    """And the linter has nothing against it."""
    assertions = follow(page, source.folder)[0]
    source.run("env", "PYTHONPATH=src", "python", "-c", assertions)
    source.run("ruff", "check", "--no-cache")
    source.run("ruff", "format", "--no-cache", "--check")


def test_a_corpus_layout(source: Checkout, tmp_path: Path) -> None:
    """Recordings in the new layout are described in the manifest."""
    _, command = follow("adding-a-layout.md", source.folder)
    for speaker in ("ann", "bob"):
        (tmp_path / "home" / "digits" / speaker).mkdir(parents=True)
        for digit in range(10):
            samples = np.random.default_rng(digit).uniform(-0.5, 0.5, 800)
            soundfile.write(tmp_path / "home" / "digits" / speaker / f"{digit}-3.wav", samples, 8000)
    program = command.replace("audiomnist", "python -m audiomnist")
    printed = source.run("env", "PYTHONPATH=src", f"HOME={tmp_path / 'home'}", "bash", "-c", program)
    assert "recordings 20, speakers 2" in printed
    manifest = (source.folder / "data" / "manifest.csv").read_text(encoding="utf-8")
    assert "7_ann_3.wav,7,ann,3," in manifest


@pytest.mark.long
def test_a_model(with_recordings: Checkout) -> None:
    """It is trained, no other is; it is evaluated and served."""
    _, commands = follow("extending.md", with_recordings.folder)
    with_recordings.commit("bag")
    evaluate, show, select = commands.splitlines()
    ran = with_recordings.stages_run(*evaluate.split()[1:])
    assert {name for name in ran if name.startswith(("train", "export", "evaluate"))} == {
        "train@bag",
        "export@bag",
        "evaluate@bag",
    }
    assert "accuracy" in with_recordings.run(*show.split())
    with_recordings.run(*select.split())
    served = json.loads((with_recordings.folder / "models" / "selected" / "bundle.json").read_text(encoding="utf-8"))
    assert served["model"] == "bag"


@pytest.mark.long
def test_a_speech_recognizer(with_recordings: Checkout) -> None:
    """The lstm is trained on its texts."""
    _, commands = follow("adding-an-engine.md", with_recordings.folder)
    with_recordings.commit("grammar")
    run, show = commands.splitlines()
    ran = with_recordings.stages_run(*run.split()[1:])
    assert {"transcribe", "train@lstm", "evaluate@lstm"} <= ran
    assert "accuracy" in with_recordings.run(*show.split())
    report = json.loads((with_recordings.folder / "reports" / "transcripts.json").read_text(encoding="utf-8"))
    assert "grammar" in json.dumps(report)

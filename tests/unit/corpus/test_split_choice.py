"""Choosing a split: what the section `split` says, and what a stage's options say in its place."""

import json
from pathlib import Path
from typing import Any

import pytest

from audiomnist.core import params
from audiomnist.core.params import ParamsError
from audiomnist.corpus import splits

COMMITTED = Path(__file__).parents[3] / "params.yaml"
SECTION: dict[str, Any] = {
    "scheme": "random",
    "seed": 3,
    "test_fraction": 0.2,
    "validation_fraction": 0.1,
    "held_out": "ada",
    "training_speakers": None,
}


@pytest.fixture
def parameters(tmp_path: Path) -> Path:
    """Write params.yaml with a section `split` and nothing else."""
    path = tmp_path / "params.yaml"
    path.write_text(json.dumps({"split": SECTION}), encoding="utf-8")
    return path


def test_without_options_the_section_holds(parameters: Path) -> None:
    """As it stands in the file."""
    assert splits.chosen(parameters).model_dump() == SECTION
    committed = splits.chosen(COMMITTED)
    assert committed == params.section(COMMITTED, "split", splits.SplitParams)


@pytest.mark.parametrize(
    "given",
    [
        {"scheme": "official"},
        {"seed": 0},
        {"held_out": "zoe"},
        {"training_speakers": 2},
        {"scheme": "speaker", "seed": 7, "held_out": "bob", "training_speakers": 1},
    ],
)
def test_an_option_goes_before_the_section_and_leaves_the_rest(parameters: Path, given: dict[str, Any]) -> None:
    """A seed of 0 is one too."""
    assert splits.chosen(parameters, **given).model_dump() == SECTION | given


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (
            {"scheme": "nearest"},
            r"split\.scheme: Input should be 'random', 'official' or 'speaker' \(given: 'nearest'\)",
        ),
        ({"seed": -1}, r"split\.seed: .*\(given: -1\)"),
        ({"training_speakers": 0}, r"split\.training_speakers: .*\(given: 0\)"),
    ],
)
def test_an_option_that_cannot_be_is_a_mistake_that_names_it(
    parameters: Path, given: dict[str, Any], told: str
) -> None:
    """With the file whose section it stands in for."""
    with pytest.raises(ParamsError, match=rf"params\.yaml: 1 mistake\(s\)\n  {told}$"):
        splits.chosen(parameters, **given)


def test_all_mistakes_of_the_options_are_told_at_once(parameters: Path) -> None:
    """A line each."""
    with pytest.raises(ParamsError, match=r"2 mistake\(s\)\n  split\.scheme: .*\n  split\.seed: "):
        splits.chosen(parameters, scheme="nearest", seed=-1)


def test_a_mistake_in_the_section_is_told_though_an_option_stands_in_for_it(parameters: Path) -> None:
    """The file is wrong for every other stage."""
    parameters.write_text(json.dumps({"split": SECTION | {"scheme": "nearest"}}), encoding="utf-8")
    with pytest.raises(ParamsError, match=r"split\.scheme"):
        splits.chosen(parameters, scheme="official")


def test_a_file_without_the_section_is_told(parameters: Path) -> None:
    """Options alone are no split: the fractions are missing."""
    parameters.write_text("{}", encoding="utf-8")
    with pytest.raises(ParamsError, match="has no section split"):
        splits.chosen(parameters, scheme="official")

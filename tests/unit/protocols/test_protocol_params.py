"""Section `protocols`: names as the stages' options have them, and what is no such name."""

import re
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from audiomnist.core import params
from audiomnist.core.params import ParamsError
from audiomnist.corpus import splits
from audiomnist.corpus.protocol_splits import ProtocolsParams, SplitChoice

COMMITTED = Path(__file__).parents[3] / "params.yaml"
CONTENT: dict[str, Any] = {
    "splits": {"unseen_ada": {"scheme": "speaker", "held-out": "ada"}},
    "learning_curve": {"heard_1_ada": {"scheme": "speaker", "held-out": "ada", "training-speakers": 1}},
    "bootstrap": {"seed": 0, "resamples": 1000},
}


def mistakes(value: dict[str, Any]) -> str:
    """Return what is wrong with a split of a protocol, as it is told."""
    with pytest.raises(ParamsError) as caught:
        params.validated(Path("params.yaml"), SplitChoice, value, "protocols.splits.x")
    return str(caught.value)


def test_names_of_two_words_have_a_dash() -> None:
    """As options have it, to which dvc.yaml hands them on."""
    found = ProtocolsParams.model_validate(CONTENT)
    assert found.splits["unseen_ada"] == SplitChoice.model_validate({"scheme": "speaker", "held-out": "ada"})
    assert found.splits["unseen_ada"].held_out == "ada"
    assert found.learning_curve["heard_1_ada"].training_speakers == 1
    assert found.model_dump(by_alias=True, exclude_unset=True) == CONTENT


def test_what_a_split_does_not_say_is_left_to_the_section_split() -> None:
    """Only the scheme must be said."""
    assert SplitChoice.model_validate({"scheme": "official"}).model_dump() == {
        "scheme": "official",
        "seed": None,
        "held_out": None,
        "training_speakers": None,
    }
    assert "scheme: Field required" in mistakes({"seed": 1})


@pytest.mark.parametrize("key", ["held_out", "training_speakers", "heldout", "test-fraction", "epochs"])
def test_an_unknown_key_is_a_mistake(key: str) -> None:
    """With an underscore it is unknown too: as an option it would not be taken."""
    assert re.search(rf"  protocols\.splits\.x\.{key}: is not a parameter$", mistakes({"scheme": "official", key: 1}))


@pytest.mark.parametrize(
    ("key", "value"), [("scheme", "nearest"), ("seed", -1), ("training-speakers", 0), ("held-out", 3)]
)
def test_a_value_that_cannot_be_is_a_mistake_under_its_name_in_the_file(key: str, value: object) -> None:
    """With the dash that it has there."""
    assert re.search(rf"  protocols\.splits\.x\.{key}: .*given: {value!r}", mistakes({"scheme": "speaker", key: value}))


def test_every_committed_protocol_is_a_split_of_the_committed_section() -> None:
    """Each name is told from its split: the seed, the speaker who is left out, how many are heard."""
    protocols = params.section(COMMITTED, "protocols", ProtocolsParams)
    speakers = params.read(COMMITTED)["data"]["speakers"]
    for name, choice in {**protocols.splits, **protocols.learning_curve}.items():
        how = splits.chosen(COMMITTED, choice.scheme, choice.seed, choice.held_out, choice.training_speakers)
        expected = {
            "random": f"random_{how.seed}",
            "official": "official",
            "speaker": f"heard_{how.training_speakers}_{how.held_out}"
            if choice.training_speakers
            else f"unseen_{how.held_out}",
        }
        assert name == expected[how.scheme]
    assert {choice.held_out for choice in protocols.splits.values() if choice.scheme == "speaker"} == set(speakers)
    curve = {(choice.training_speakers, choice.held_out) for choice in protocols.learning_curve.values()}
    assert curve == set(product(range(1, len(speakers) - 1), speakers))
    assert {choice.seed for choice in protocols.splits.values() if choice.scheme == "random"} == set(range(5))

"""The splits of each evaluation protocol."""

from pathlib import Path
from typing import Any

import pytest

from audiomnist.core import params
from audiomnist.core.params import ParamsError
from audiomnist.corpus.protocol_splits import PROTOCOLS, ProtocolsParams, ProtocolSplit, protocol_splits
from audiomnist.corpus.splits import SplitError, SplitParams

SPEAKERS = ["ada", "bob", "eve"]
SECTION: dict[str, Any] = {
    "random": {"seeds": [3, 1]},
    "learning_curve": {"max_train_speakers": [1]},
    "bootstrap": {"seed": 0, "resamples": 1000},
}
BASE = SplitParams(
    scheme="random", seed=7, test_fraction=0.25, validation_fraction=0.1, test_speaker="eve", max_train_speakers=2
)


def splits_of(protocol: str) -> dict[str, SplitParams]:
    """Return the splits of a protocol by name."""
    found: list[ProtocolSplit] = protocol_splits(protocol, ProtocolsParams.model_validate(SECTION), BASE, SPEAKERS)
    assert len({split.name for split in found}) == len(found)
    return {split.name: split.params for split in found}


def test_random_splits_differ_in_their_seed_alone() -> None:
    """In the order of the seeds."""
    expected = BASE.model_copy(update={"max_train_speakers": None})
    assert splits_of("random") == {
        "seed_3": expected.model_copy(update={"seed": 3}),
        "seed_1": expected.model_copy(update={"seed": 1}),
    }


def test_the_official_split_is_one() -> None:
    """Its test part is fixed by upstream."""
    (split,) = splits_of("official").values()
    assert (split.scheme, split.seed, split.max_train_speakers) == ("official", 7, None)


def test_each_speaker_is_held_out_once() -> None:
    """All others train the model, whatever the section `split` says of training speakers."""
    found = splits_of("unseen")
    assert {name: (split.scheme, split.test_speaker, split.max_train_speakers) for name, split in found.items()} == {
        speaker: ("speaker", speaker, None) for speaker in SPEAKERS
    }


def test_the_learning_curve_holds_out_each_speaker_for_each_number_of_others() -> None:
    """Named by both."""
    found = splits_of("learning-curve")
    assert {name: (split.test_speaker, split.max_train_speakers) for name, split in found.items()} == {
        f"1_{speaker}": (speaker, 1) for speaker in SPEAKERS
    }


def test_another_name_is_no_protocol() -> None:
    """The error lists those that there are."""
    with pytest.raises(SplitError, match=f"'seeds' is no protocol: there are {', '.join(PROTOCOLS)}"):
        splits_of("seeds")


@pytest.mark.parametrize(
    ("section", "change"),
    [
        ("random", {"seeds": []}),
        ("random", {"seeds": [-1]}),
        ("learning_curve", {"max_train_speakers": [0]}),
        ("bootstrap", {"seed": -1, "resamples": 1000}),
        ("bootstrap", {"seed": 0, "resamples": 10}),
        ("bootstrap", {"seed": 0}),
        ("official", {}),
    ],
)
def test_a_section_that_cannot_be_is_an_error(section: str, change: dict[str, Any]) -> None:
    """The message names the key."""
    with pytest.raises(ParamsError, match=rf"protocols\.{section}"):
        params.validated(Path("params.yaml"), ProtocolsParams, SECTION | {section: change}, "protocols")

"""The splits of each evaluation protocol: on all of them every model is trained and evaluated."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, NamedTuple

from pydantic import Field

from audiomnist.core import params
from audiomnist.core.params import Section
from audiomnist.corpus import manifest
from audiomnist.corpus.splits import SplitError, SplitParams

PROTOCOLS = ("random", "official", "unseen", "learning-curve")


class RandomParams(Section):
    """Section `protocols.random`.

    Attributes:
        seeds: of the random splits (>= 0), at least one.
    """

    seeds: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1)]


class LearningCurveParams(Section):
    """Section `protocols.learning_curve`.

    Attributes:
        max_train_speakers: how many speakers train the model, at least one number >= 1. Each speaker is held out once
            for each number; the number of all others is that of the protocol `unseen`.
    """

    max_train_speakers: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=1)]


class BootstrapParams(Section):
    """Section `protocols.bootstrap`.

    Attributes:
        seed: of the resamples (>= 0).
        resamples: how many there are, 100 to 100,000.
    """

    seed: int = Field(ge=0)
    resamples: int = Field(ge=100, le=100_000)


class ProtocolsParams(Section):
    """Section `protocols`: the protocols `official` and `unseen` (each speaker held out once) have no parameters."""

    random: RandomParams
    learning_curve: LearningCurveParams
    bootstrap: BootstrapParams


class ProtocolSplit(NamedTuple):
    """One split of a protocol: its name, which is unique in the protocol, and how it is made."""

    name: str
    params: SplitParams


def read_splits(protocol: str, parameters: Path, recordings: Path) -> list[ProtocolSplit]:
    """Return the splits of a protocol, by params.yaml, over the speakers of a manifest."""
    section = params.section(parameters, "protocols", ProtocolsParams)
    base = params.section(parameters, "split", SplitParams)
    return protocol_splits(protocol, section, base, sorted({row.speaker for row in manifest.read(recordings)}))


def protocol_splits(
    protocol: str, section: ProtocolsParams, base: SplitParams, speakers: Sequence[str]
) -> list[ProtocolSplit]:
    """Return the splits of a protocol.

    Args:
        protocol: one of `PROTOCOLS`.
        section: `protocols` of params.yaml.
        base: the section `split`, of which each split differs in what the protocol varies.
        speakers: of the corpus.

    Raises:
        SplitError: there is no such protocol.
    """

    def split(name: str, **changes: object) -> ProtocolSplit:
        return ProtocolSplit(name, base.model_copy(update={"max_train_speakers": None, **changes}))

    if protocol == "random":
        return [split(f"seed_{seed}", scheme="random", seed=seed) for seed in section.random.seeds]
    if protocol == "official":
        return [split("official", scheme="official")]
    if protocol == "unseen":
        return [split(speaker, scheme="speaker", test_speaker=speaker) for speaker in speakers]
    if protocol == "learning-curve":
        return [
            split(f"{count}_{speaker}", scheme="speaker", test_speaker=speaker, max_train_speakers=count)
            for count in section.learning_curve.max_train_speakers
            for speaker in speakers
        ]
    raise SplitError(f"{protocol!r} is no protocol: there are {', '.join(PROTOCOLS)}")

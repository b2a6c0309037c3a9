"""The splits of the evaluation protocols; every model is trained and evaluated on each of them."""

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
        seeds: seeds of the random splits (>= 0), at least one.
    """

    seeds: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1)]


class LearningCurveParams(Section):
    """Section `protocols.learning_curve`.

    Attributes:
        max_train_speakers: numbers of training speakers (>= 1), at least one. Each speaker is held out once per number.
            With all other speakers it would be the protocol `unseen`.
    """

    max_train_speakers: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=1)]


class BootstrapParams(Section):
    """Section `protocols.bootstrap`.

    Attributes:
        seed: seed of the resampling (>= 0).
        resamples: number of resamples, 100 to 100,000.
    """

    seed: int = Field(ge=0)
    resamples: int = Field(ge=100, le=100_000)


class ProtocolsParams(Section):
    """Section `protocols`: the protocols `official` and `unseen` (each speaker held out once) have no parameters."""

    random: RandomParams
    learning_curve: LearningCurveParams
    bootstrap: BootstrapParams


class ProtocolSplit(NamedTuple):
    """One split of a protocol: its name, unique in the protocol, and its parameters."""

    name: str
    params: SplitParams


def read_splits(protocol: str, parameters: Path, recordings: Path) -> list[ProtocolSplit]:
    """Return the splits of a protocol for params.yaml and the speakers of a manifest."""
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
        base: the section `split`, in which each split replaces what the protocol varies.
        speakers: all speakers of the corpus.

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

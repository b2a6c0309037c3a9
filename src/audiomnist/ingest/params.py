"""Section `data` of params.yaml."""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from audiomnist.core.params import Section
from audiomnist.synthesis.corpus import SyntheticParams


class DataParams(Section):
    """Section `data`.

    Attributes:
        source: `recordings`, the files in the manifest, or `synthetic`, speech of eSpeak NG.
        name: of the dataset that the manifest lists, for reports; None for the Free Spoken Digit Dataset's.
        speakers: whose recordings are used, None for all; the synthetic corpus always has all of its speakers.
        synthetic: seed and takes of the synthetic corpus.
    """

    source: Literal["recordings", "synthetic"]
    name: Annotated[str, Field(min_length=1)] | None
    speakers: Annotated[tuple[str, ...], Field(min_length=1)] | None
    synthetic: SyntheticParams

    @field_validator("speakers")
    @classmethod
    def _sorted_and_distinct(cls, speakers: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if speakers is None:
            return None
        if len(set(speakers)) != len(speakers):
            raise ValueError("a speaker is named twice")
        return tuple(sorted(speakers))

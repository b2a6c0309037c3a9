"""Section `data` of params.yaml."""

from typing import Literal

from pydantic import Field, field_validator

from audiomnist.core.params import Section
from audiomnist.synthesis.corpus import SyntheticParams


class DataParams(Section):
    """Section `data`.

    Attributes:
        source: `recordings`, the files in the manifest, or `synthetic`, speech of eSpeak NG.
        speakers: whose recordings are used; the synthetic corpus always has all of its speakers.
        synthetic: seed and takes of the synthetic corpus.
    """

    source: Literal["recordings", "synthetic"]
    speakers: tuple[str, ...] = Field(min_length=1)
    synthetic: SyntheticParams

    @field_validator("speakers")
    @classmethod
    def _sorted_and_distinct(cls, speakers: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(speakers)) != len(speakers):
            raise ValueError("a speaker is named twice")
        return tuple(sorted(speakers))

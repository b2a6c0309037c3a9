"""Synthetic voices to train with: many speakers and accents that the corpus does not have.

They are eSpeak NG's, drawn at random. They teach, and are in no part that chooses, calibrates or judges.
"""

from typing import Annotated

import numpy as np
from pydantic import AfterValidator, Field

from audiomnist.audio.waveform import Waveform
from audiomnist.core.digits import DIGIT_WORDS
from audiomnist.core.params import Section
from audiomnist.synthesis import espeak

# How far one word of a voice may lie from another: factor of the speed, steps of the pitch.
_SPEED_OF_A_WORD = (0.85, 1.15)
_PITCH_OF_A_WORD = 8
_HIGHEST_PITCH = 99


def _ordered(bounds: tuple[int, int]) -> tuple[int, int]:
    if bounds[0] > bounds[1]:
        raise ValueError("the lower bound stands first")
    return bounds


_Rate = Annotated[int, Field(ge=80, le=450)]
_Percent = Annotated[int, Field(ge=0, le=_HIGHEST_PITCH)]


class SyntheticSpeakersParams(Section):
    """Section `synthetic_speakers`; each pair is the lower and the upper bound of a uniform draw.

    Attributes:
        count: voices; each says every digit once. 0 for none.
        seed: of all draws (>= 0).
        copies_per_word: augmented copies of each word, drawn as `features.augment` says; the original is not kept.
        espeak_languages: eSpeak NG's names of kinds of English.
        rate_wpm: speed, in words per minute, 80 to 450.
        pitch: eSpeak NG's, 0 to 99.
        pitch_range: how lively the intonation is, 0 to 99.
    """

    count: int = Field(ge=0, le=100_000)
    seed: int = Field(ge=0)
    copies_per_word: int = Field(ge=1, le=100)
    espeak_languages: tuple[str, ...] = Field(min_length=1)
    rate_wpm: Annotated[tuple[_Rate, _Rate], AfterValidator(_ordered)]
    pitch: Annotated[tuple[_Percent, _Percent], AfterValidator(_ordered)]
    pitch_range: Annotated[tuple[_Percent, _Percent], AfterValidator(_ordered)]


def words(number: int, params: SyntheticSpeakersParams) -> list[Waveform]:
    """Return the ten digits as one voice says them; it depends on its number and the seed alone.

    Raises:
        SynthesisError: eSpeak NG cannot be loaded, or does not have an accent.
    """
    draw = np.random.default_rng([params.seed, number])
    voice = f"{draw.choice(params.espeak_languages)}+{draw.choice(espeak.variants())}"
    rate_wpm = draw.uniform(*params.rate_wpm)
    pitch, pitch_range = (int(draw.integers(*bounds, endpoint=True)) for bounds in (params.pitch, params.pitch_range))
    return [
        espeak.speak(
            word,
            voice,
            rate_wpm=int(rate_wpm * draw.uniform(*_SPEED_OF_A_WORD)),
            pitch=int(np.clip(pitch + draw.integers(-_PITCH_OF_A_WORD, _PITCH_OF_A_WORD + 1), 0, _HIGHEST_PITCH)),
            pitch_range=pitch_range,
            seed=number,
        )
        for word in DIGIT_WORDS
    ]

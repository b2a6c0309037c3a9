"""Synthetic speakers for training: eSpeak NG with random voices, accents and prosody that the corpus does not have.

They are in the training set only: not in validation, calibration or test.
"""

from typing import Annotated

import numpy as np
from pydantic import Field

from audiomnist.audio.waveform import Waveform
from audiomnist.core.digits import DIGIT_WORDS
from audiomnist.core.params import Section
from audiomnist.core.ranges import Range
from audiomnist.synthesis import espeak

# Variation between the words of one speaker: factor of the rate, steps of the pitch.
_RATE_OF_A_WORD = (0.85, 1.15)
_PITCH_OF_A_WORD = 8
_HIGHEST_PITCH = 99

_Rate = Annotated[int, Field(ge=80, le=450)]
_Percent = Annotated[int, Field(ge=0, le=_HIGHEST_PITCH)]


class SyntheticSpeakersParams(Section):
    """Section `synthetic_speakers`; each pair is the lower and the upper bound of a uniform draw.

    Attributes:
        count: speakers; each says every digit once. 0 for none.
        seed: seed of all draws (>= 0).
        copies_per_word: augmented copies of each word, drawn as `features.augment` says; the original is not kept.
        espeak_languages: names of languages in eSpeak NG; those of other languages pronounce the English words.
        rate_wpm: speaking rate, in words per minute, 80 to 450.
        pitch: pitch in eSpeak NG, 0 to 99.
        pitch_range: variation of the pitch (intonation) in eSpeak NG, 0 to 99.
    """

    count: int = Field(ge=0, le=100_000)
    seed: int = Field(ge=0)
    copies_per_word: int = Field(ge=1, le=100)
    espeak_languages: tuple[str, ...] = Field(min_length=1)
    rate_wpm: Range[_Rate]
    pitch: Range[_Percent]
    pitch_range: Range[_Percent]


def words(number: int, params: SyntheticSpeakersParams) -> list[Waveform]:
    """Return the ten digits spoken by one speaker, which depends on its number and the seed alone.

    Raises:
        SynthesisError: eSpeak NG cannot be loaded, or does not have a language.
    """
    draw = np.random.default_rng([params.seed, number])
    voice = f"{draw.choice(params.espeak_languages)}+{draw.choice(espeak.variants())}"
    rate_wpm = draw.uniform(*params.rate_wpm)
    pitch, pitch_range = (int(draw.integers(*bounds, endpoint=True)) for bounds in (params.pitch, params.pitch_range))
    return [
        espeak.speak(
            word,
            voice,
            rate_wpm=int(rate_wpm * draw.uniform(*_RATE_OF_A_WORD)),
            pitch=int(np.clip(pitch + draw.integers(-_PITCH_OF_A_WORD, _PITCH_OF_A_WORD + 1), 0, _HIGHEST_PITCH)),
            pitch_range=pitch_range,
            seed=number,
        )
        for word in DIGIT_WORDS
    ]

"""A corpus of spoken digits from eSpeak NG, for demonstrations, tests and first runs without a download.

The same arguments give the same bytes, in any order and any process.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray
from pydantic import Field

from audiomnist.audio.waveform import prepare
from audiomnist.core.digits import CLASSES, DIGIT_WORDS
from audiomnist.core.params import Section
from audiomnist.corpus.manifest import Recording, describe_folder
from audiomnist.synthesis.espeak import speak

SAMPLE_RATE_HZ = 8000

_TRIM_DB = 40.0
_MAX_S = 3
# Bounds of the uniform draws of each take.
_RATES_WPM = (120, 210)
_PITCHES = (25, 75)
_PITCH_RANGES = (20, 80)
_PEAKS_DBFS = (-18.0, -2.0)


class SyntheticParams(Section):
    """Section `data.synthetic`."""

    seed: int = Field(ge=0, description="another seed gives other takes of the same voices")
    takes: int = Field(ge=1, description="takes of each digit by each voice")


@dataclass(frozen=True)
class Voice:
    """A speaker of the corpus; `espeak` is its voice in eSpeak NG, `language+variant`."""

    speaker: str
    espeak: str


VOICES = (
    Voice("angus", "en-gb-scotland+m3"),
    Voice("beatrice", "en-gb-x-rp+f4"),
    Voice("clara", "en-us+f3"),
    Voice("dexter", "en-us+klatt2"),
    Voice("edgar", "en-029+croak"),
    Voice("franklin", "en-us-nyc+m7"),
)


def write_corpus(folder: Path, speakers: Sequence[str] | None, params: SyntheticParams) -> list[Recording]:
    """Write `{digit}_{speaker}_{take}.wav` for each digit, voice and take: 8 kHz, mono, 16-bit.

    Rate, pitch, intonation and level differ between takes; a take depends on its name and the seed alone.

    Args:
        folder: an existing, empty folder.
        speakers: names of speakers in `VOICES`; None for all.
        params: seed and number of takes.

    Returns:
        the recordings, ordered by file name.

    Raises:
        SynthesisError: eSpeak NG cannot be loaded, or does not have a voice.
    """
    voices = [voice for voice in VOICES if speakers is None or voice.speaker in speakers]
    for voice, digit, take in product(voices, range(CLASSES), range(params.takes)):
        pcm = _take(voice, digit, take, params.seed)
        soundfile.write(folder / f"{digit}_{voice.speaker}_{take}.wav", pcm, SAMPLE_RATE_HZ, subtype="PCM_16")
    return describe_folder(folder).recordings


def _take(voice: Voice, digit: int, take: int, seed: int) -> NDArray[np.int16]:
    """Return one take, int16 `(samples,)` at 8 kHz, with a peak between -18 and -2 dBFS."""
    draw = np.random.default_rng([seed, digit, take, *voice.speaker.encode()])
    word = speak(
        DIGIT_WORDS[digit],
        voice.espeak,
        rate_wpm=int(draw.integers(*_RATES_WPM)),
        pitch=int(draw.integers(*_PITCHES)),
        pitch_range=int(draw.integers(*_PITCH_RANGES)),
        seed=int(draw.integers(2**31)),
    )
    samples = prepare(word, SAMPLE_RATE_HZ, _TRIM_DB, _MAX_S * SAMPLE_RATE_HZ)
    peak = 32768 * 10 ** (draw.uniform(*_PEAKS_DBFS) / 20)
    pcm: NDArray[np.int16] = np.rint(samples * (peak / np.abs(samples).max())).astype(np.int16)
    return pcm

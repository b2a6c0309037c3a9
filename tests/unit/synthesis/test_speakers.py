"""Synthetic voices: that a voice is its number and its seed, within what params.yaml asks for."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from audiomnist.audio.waveform import Waveform
from audiomnist.core import params
from audiomnist.core.digits import DIGIT_WORDS
from audiomnist.synthesis import espeak
from audiomnist.synthesis.espeak import SynthesisError
from audiomnist.synthesis.speakers import SyntheticSpeakersParams, words

COMMITTED = Path(__file__).parents[3] / "params.yaml"
SOME: dict[str, Any] = {
    "count": 10,
    "seed": 0,
    "copies_per_word": 1,
    "espeak_languages": ("en", "en-us", "en-029"),
    "rate_wpm": (100, 260),
    "pitch": (10, 95),
    "pitch_range": (10, 95),
}
PARAMS = SyntheticSpeakersParams.model_validate(SOME)
IN_ANOTHER_PROCESS = """
import hashlib, sys
from audiomnist.synthesis.speakers import SyntheticSpeakersParams, words
speakers = SyntheticSpeakersParams.model_validate_json(sys.argv[1])
for number in sys.argv[2:]:
    print(hashlib.sha256(b"".join(word.samples.tobytes() for word in words(int(number), speakers))).hexdigest())
"""


def sound(number: int, speakers: SyntheticSpeakersParams = PARAMS) -> bytes:
    """Return all samples of a voice."""
    return b"".join(word.samples.tobytes() for word in words(number, speakers))


@pytest.fixture
def spoken(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Let nothing be spoken; return a list of what would have been, as it grows."""
    spoken: list[dict[str, Any]] = []

    def speak(text: str, voice: str, **settings: int) -> Waveform:
        spoken.append({"text": text, "voice": voice, **settings})
        return Waveform(np.zeros(10, dtype=np.float32), 22_050)

    monkeypatch.setattr(espeak, "speak", speak)
    return spoken


def test_a_voice_says_the_ten_digits() -> None:
    """Each as a word's worth of sound, no two alike."""
    spoken = words(0, PARAMS)
    assert len(spoken) == 10
    assert all(0.1 < word.duration_s < 3 for word in spoken)
    assert all(word.samples.dtype == np.float32 and np.abs(word.samples).max() > 0.01 for word in spoken)
    assert len({word.samples.tobytes() for word in spoken}) == 10


def test_a_voice_is_the_same_in_any_order_and_process() -> None:
    """Its number and the seed decide all, down to the last bit; how many voices there are decides nothing."""
    forth = [sound(number) for number in (0, 1, 2)]
    back = [sound(number, SyntheticSpeakersParams.model_validate(SOME | {"count": 500})) for number in (2, 1, 0)]
    assert forth == back[::-1]
    command = [sys.executable, "-c", IN_ANOTHER_PROCESS, PARAMS.model_dump_json()]
    elsewhere = subprocess.run([*command, "2", "0"], check=True, capture_output=True, text=True).stdout
    here = subprocess.run([*command, "0", "2"], check=True, capture_output=True, text=True).stdout
    assert elsewhere.split() == here.split()[::-1]


def test_another_number_and_another_seed_are_other_voices() -> None:
    """No word of theirs sounds the same."""
    other_seed = SyntheticSpeakersParams.model_validate(SOME | {"seed": 1})
    spoken = [words(0, PARAMS), words(1, PARAMS), words(0, other_seed)]
    for digit in range(10):
        assert len({voice[digit].samples.tobytes() for voice in spoken}) == 3


def test_a_voice_keeps_its_accent_throat_and_liveliness(spoken: list[dict[str, Any]]) -> None:
    """Its words are those of the digits in order; speed and pitch stray from word to word."""
    words(4, PARAMS)
    assert [word["text"] for word in spoken] == list(DIGIT_WORDS)
    assert len({(word["voice"], word["pitch_range"], word["seed"]) for word in spoken}) == 1
    assert len({word["rate_wpm"] for word in spoken}) > 5
    assert len({word["pitch"] for word in spoken}) > 3


def test_what_is_drawn_stays_within_its_bounds(spoken: list[dict[str, Any]]) -> None:
    """Of a voice; its words lie at most 15% of the speed and 8 steps of the pitch beside it, and in eSpeak's range."""
    speakers = SyntheticSpeakersParams.model_validate(
        SOME | {"rate_wpm": (150, 160), "pitch": (40, 50), "pitch_range": (20, 25)}
    )
    for number in range(60):
        words(number, speakers)
    rates, pitches, ranges = (
        np.array([word[what] for word in spoken]) for what in ("rate_wpm", "pitch", "pitch_range")
    )
    assert int(150 * 0.85) <= rates.min() < 140
    assert 175 < rates.max() <= 160 * 1.15
    assert 32 <= pitches.min() < 40
    assert 50 < pitches.max() <= 58
    assert set(ranges.tolist()) == {20, 21, 22, 23, 24, 25}
    assert {word["voice"].partition("+")[0] for word in spoken} == set(speakers.espeak_languages)
    throats = {word["voice"].partition("+")[2] for word in spoken}
    assert len(throats) > 30
    assert throats <= set(espeak.variants())


@pytest.mark.parametrize(("pitch", "end"), [((0, 0), 0), ((99, 99), 99)])
def test_no_word_is_higher_or_lower_than_espeak_can_speak(
    spoken: list[dict[str, Any]], pitch: tuple[int, int], end: int
) -> None:
    """A voice at the end of the scale stays on it."""
    for number in range(10):
        words(number, SyntheticSpeakersParams.model_validate(SOME | {"pitch": pitch}))
    pitches = {word["pitch"] for word in spoken}
    assert end in pitches
    assert min(pitches) >= 0
    assert max(pitches) <= 99


def test_the_committed_voices_can_speak() -> None:
    """In each of the accents, which espeak-ng may not all bring."""
    speakers = params.section(COMMITTED, "synthetic_speakers", SyntheticSpeakersParams)
    for accent in speakers.espeak_languages:
        words(0, speakers.model_copy(update={"espeak_languages": (accent,)}))


def test_an_accent_that_espeak_lacks_is_named() -> None:
    """The voice that was requested is in the message."""
    with pytest.raises(SynthesisError, match=r"eSpeak NG has no voice 'en-nowhere\+\w+'"):
        words(0, SyntheticSpeakersParams.model_validate(SOME | {"espeak_languages": ("en-nowhere",)}))


def test_every_throat_can_be_combined_with_a_language() -> None:
    """There are many, each once, sorted; none of them is refused."""
    throats = espeak.variants()
    assert len(throats) > 50
    assert list(throats) == sorted(set(throats))
    for throat in throats[::10]:
        assert len(espeak.speak("one", f"en+{throat}").samples) > 0


@pytest.mark.parametrize(
    "mistake",
    [
        {"count": -1},
        {"count": 100_001},
        {"seed": -1},
        {"copies_per_word": 0},
        {"copies_per_word": 101},
        {"espeak_languages": ()},
        {"rate_wpm": (79, 200)},
        {"rate_wpm": (100, 451)},
        {"rate_wpm": (200, 100)},
        {"pitch": (-1, 50)},
        {"pitch": (50, 100)},
        {"pitch": (51, 50)},
        {"pitch_range": (0, 100)},
        {"pitch_range": (10,)},
        {"variants": ["f3"]},
    ],
)
def test_a_value_out_of_bounds_is_a_mistake_that_names_it(mistake: dict[str, Any]) -> None:
    """The bounds themselves are none."""
    SyntheticSpeakersParams.model_validate(
        SOME | {"count": 0, "rate_wpm": (80, 450), "pitch": (0, 99), "pitch_range": (0, 99), "copies_per_word": 100}
    )
    with pytest.raises(ValidationError, match=next(iter(mistake))):
        SyntheticSpeakersParams.model_validate(SOME | mistake)

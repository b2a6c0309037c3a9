"""The ends of words in a stream."""

from itertools import pairwise

import numpy as np
import pytest
from fake_microphone import SAMPLE_RATE_HZ, spoken, synthesized
from hypothesis import given
from hypothesis import strategies as st

from audiomnist.audio.waveform import Samples
from audiomnist.microphone.endpoint import FRAME_S, HANG_OVER_FRAMES, Endpointer, Word

LOWEST_RATE_HZ = 8000
HANG_OVER_S = HANG_OVER_FRAMES * FRAME_S
ROOM = 1e-4  # root mean square of the noise


@pytest.mark.parametrize("noise_dbfs", [-90, -60, -50])
def test_the_end_of_each_word_is_known_a_quarter_of_a_second_later(noise_dbfs: float) -> None:
    """Of the ten digits, in a quiet and in a noisy room: the rest of 300 ms is for the model."""
    samples, ends_s = spoken([synthesized(digit) for digit in range(10)], noise_dbfs)
    found = words(samples, SAMPLE_RATE_HZ)
    assert len(found) == 10
    assert max(word.decided_s - end_s for word, end_s in zip(found, ends_s, strict=True)) <= 0.25
    assert all(abs(word.end_s - end_s) < 0.15 for word, end_s in zip(found, ends_s, strict=True))


def test_a_word_comes_with_what_is_around_it() -> None:
    """At least 200 ms before and after it, so that nothing of it is cut off."""
    [word] = words(sound((1.0, 0), (0.4, 0.3), (1.0, 0)))
    assert word.end_s == pytest.approx(1.4, abs=0.02)
    assert word.waveform.duration_s == pytest.approx(0.4 + 0.25 + HANG_OVER_S, abs=0.04)
    assert word.waveform.sample_rate_hz == LOWEST_RATE_HZ


@pytest.mark.parametrize(("pause_s", "count"), [(0.15, 1), (0.3, 2)])
def test_a_short_pause_is_part_of_a_word(pause_s: float, count: int) -> None:
    """As before the t of eight."""
    assert len(words(sound((1.0, 0), (0.2, 0.3), (pause_s, 0), (0.2, 0.3), (1.0, 0)))) == count


def test_a_click_is_no_word() -> None:
    """It is shorter than any digit."""
    assert words(sound((1.0, 0), (0.04, 0.5), (1.0, 0))) == []


def test_a_noise_that_stays_becomes_the_floor() -> None:
    """It may be taken for one word; then words are heard above it."""
    found = words(sound((1.0, 0), (4.0, 0.01), (0.4, 0.3), (0.6, 0.01), (0.4, 0.3), (1.0, 0.01)))
    assert [round(word.end_s, 1) for word in found[-2:]] == [5.4, 6.4]
    assert len(found) <= 3


@given(
    st.lists(st.tuples(st.floats(0.01, 2.5), st.sampled_from([0, 0.001, 0.01, 0.1, 1])), min_size=1, max_size=5),
)
@pytest.mark.property
def test_any_sound_gives_words_in_order(parts: list[tuple[float, float]]) -> None:
    """Each is decided at most 200 ms after its end, holds what was heard of it, and lasts at most 2.5 s."""
    found = words(sound(*parts))
    for word in found:
        assert 0 <= word.decided_s - word.end_s <= HANG_OVER_S + 1e-6
        assert word.waveform.duration_s <= 2.5
    assert all(one.decided_s < other.decided_s for one, other in pairwise(found))


def words(samples: Samples, rate_hz: int = LOWEST_RATE_HZ) -> list[Word]:
    """Return the words of a stream."""
    endpointer = Endpointer(rate_hz)
    size = endpointer.frame_samples
    frames = (samples[start : start + size] for start in range(0, len(samples) - size + 1, size))
    return [word for frame in frames if (word := endpointer.feed(frame))]


def sound(*parts: tuple[float, float]) -> Samples:
    """Return noises one after the other, of these durations in seconds and levels, in a quiet room."""
    rng = np.random.default_rng(0)
    level = np.concatenate(
        [np.full(round(duration_s * LOWEST_RATE_HZ), max(level, ROOM)) for duration_s, level in parts]
    )
    return np.clip(level * rng.normal(0, 1, len(level)), -1, 1).astype(np.float32)

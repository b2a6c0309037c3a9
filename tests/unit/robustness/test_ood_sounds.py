"""Sounds that are no digit: that every kind is a sound, within its level, and the same whenever it is asked for."""

import hashlib
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audiomnist.audio import waveform
from audiomnist.audio.waveform import Waveform
from audiomnist.robustness import ood_sounds

COUNT = 30
PEAKS = dict.fromkeys(ood_sounds.KINDS, (0.02, 0.8)) | {"near_silence": (0.0, 0.002)}
IN_ANOTHER_PROCESS = """
import hashlib, sys
from audiomnist.robustness import ood_sounds
for kind in reversed(ood_sounds.KINDS):
    sounds = ood_sounds.sounds(kind, 3, 5)
    print(kind, hashlib.sha256(b"".join(sound.samples.tobytes() for sound in sounds)).hexdigest())
"""


def same(one: Waveform, other: Waveform) -> bool:
    """Return whether two sounds are equal to the bit."""
    return one.sample_rate_hz == other.sample_rate_hz and one.samples.tobytes() == other.samples.tobytes()


def test_there_are_sounds_of_six_kinds() -> None:
    """Words that are no digit, and what is no speech at all."""
    assert set(ood_sounds.KINDS) == {"speech", "cough", "noise", "tones", "music", "near_silence"}


@pytest.mark.parametrize("kind", ood_sounds.KINDS)
def test_sounds_are_finite_and_of_the_promised_peak(kind: str) -> None:
    """Mono float32 at 8 kHz, between a tenth of a second and three seconds long, as a recording may be."""
    sounds = ood_sounds.sounds(kind, COUNT, 0)
    assert len(sounds) == COUNT
    lowest, highest = PEAKS[kind]
    for sound in sounds:
        assert sound.samples.dtype == np.float32
        assert (sound.samples.ndim, sound.sample_rate_hz) == (1, 8000)
        assert 0.1 <= sound.duration_s <= 3
        assert np.isfinite(sound.samples).all()
        peak = float(np.abs(sound.samples).max())
        assert peak > 0
        assert 0.995 * lowest <= peak <= highest


@pytest.mark.parametrize("kind", ood_sounds.KINDS)
def test_sounds_of_a_kind_differ_from_each_other_and_in_level(kind: str) -> None:
    """Otherwise a count of them would say no more than one."""
    sounds = ood_sounds.sounds(kind, COUNT, 0)
    assert len({sound.samples.tobytes() for sound in sounds}) == COUNT
    peaks = [np.abs(sound.samples).max() for sound in sounds]
    assert max(peaks) > 3 * min(peaks)


@pytest.mark.parametrize("kind", ood_sounds.KINDS)
def test_the_same_seed_gives_the_same_sounds(kind: str) -> None:
    """However many are asked for, whatever was made before; another seed gives others."""
    sounds = ood_sounds.sounds(kind, 4, 1)
    ood_sounds.sounds("speech", 1, 9)
    again = ood_sounds.sounds(kind, 2, 1)
    assert [same(*pair) for pair in zip(sounds, again, strict=False)] == [True, True]
    others = ood_sounds.sounds(kind, 4, 2)
    assert not any(same(*pair) for pair in zip(sounds, others, strict=True))


def test_another_process_makes_the_same_sounds() -> None:
    """In another order too."""
    printed = subprocess.run([sys.executable, "-c", IN_ANOTHER_PROCESS], capture_output=True, text=True, check=True)
    hashes = dict(line.split() for line in printed.stdout.splitlines())
    assert hashes == {
        kind: hashlib.sha256(b"".join(s.samples.tobytes() for s in ood_sounds.sounds(kind, 3, 5))).hexdigest()
        for kind in ood_sounds.KINDS
    }


def test_no_sounds_are_none() -> None:
    """A count of nothing is no error."""
    assert ood_sounds.sounds("noise", 0, 0) == []


def test_an_unknown_kind_is_a_key_error() -> None:
    """The table of kinds is the list of names."""
    with pytest.raises(KeyError, match="thunder"):
        ood_sounds.sounds("thunder", 1, 0)


@given(samples=st.lists(st.floats(-1, 1, width=32), min_size=1, max_size=50), rate=st.sampled_from([8000, 44_100]))
def test_backwards_twice_is_the_recording(samples: list[float], rate: int) -> None:
    """Once, it begins with its end; the recording itself is unchanged."""
    recording = Waveform(np.array(samples, dtype=np.float32), rate)
    reverse = ood_sounds.backwards(recording)
    assert reverse.samples.tolist() == recording.samples.tolist()[::-1]
    assert same(ood_sounds.backwards(reverse), recording)
    reverse.samples[:] = 2
    assert recording.samples.max() <= 1


@pytest.mark.parametrize("kind", ood_sounds.KINDS)
def test_every_kind_can_be_prepared_for_a_model(kind: str) -> None:
    """Something is left of each when its silence is trimmed as a recording's is."""
    for sound in ood_sounds.sounds(kind, COUNT, 3):
        prepared = waveform.prepare(sound, 8000, 40.0, 8000)
        assert 200 <= len(prepared) <= 8000
        assert np.abs(prepared).max() > 0

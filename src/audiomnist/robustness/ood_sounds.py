"""Synthetic sounds that are not spoken digits: other words, coughs, noise, tones, music and near silence.

They are a function of the seed, have 8 kHz, and are used in evaluation only, never in training.
"""

from collections.abc import Callable

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from audiomnist.audio.augment import colored_noise
from audiomnist.audio.waveform import Samples, Waveform, resampled
from audiomnist.synthesis.corpus import SAMPLE_RATE_HZ, VOICES
from audiomnist.synthesis.espeak import speak

_WORDS = (  # noqa: SIM905 - a list takes 27 lines
    "yes,no,stop,hello,window,river,orange,sugar,mother,paper,garden,follow,monday,winter,happy,kitchen,under,morning,"
    "please,thank you,twenty,hundred,good evening,what time is it,see you tomorrow,it is raining again,close the door"
).split(",")
_DTMF_HZ = ((697, 770, 852, 941), (1209, 1336, 1477, 1633))
_SCALE_SEMITONES = (0, 2, 4, 5, 7, 9, 11, 12)


def sounds(kind: str, count: int, seed: int) -> list[Waveform]:
    """Return `count` sounds of a kind in `KINDS`, with a peak of 0.02 to 0.8 (near silence: below 0.002)."""
    make = KINDS[kind]
    generators = [np.random.default_rng([seed, index, *kind.encode()]) for index in range(count)]
    return [Waveform(_scaled(make(rng), kind, rng), SAMPLE_RATE_HZ) for rng in generators]


def backwards(recording: Waveform) -> Waveform:
    """Return a recording reversed in time: the same voice, room and microphone, but no digit."""
    return Waveform(recording.samples[::-1].copy(), recording.sample_rate_hz)


def _scaled(sound: NDArray[np.float64], kind: str, rng: Generator) -> Samples:
    peak = 10 ** rng.uniform(-4, -2.7) if kind == "near_silence" else 10 ** rng.uniform(-1.7, -0.1)
    return np.asarray(sound * (peak / np.abs(sound).max()), dtype=np.float32)


def _speech(rng: Generator) -> NDArray[np.float64]:
    voice = VOICES[rng.integers(len(VOICES))].espeak
    text = _WORDS[rng.integers(len(_WORDS))]
    rate, pitch, seed = int(rng.integers(120, 210)), int(rng.integers(25, 75)), int(rng.integers(2**31))
    spoken = speak(text, voice, rate_wpm=rate, pitch=pitch, seed=seed)
    return resampled(spoken, SAMPLE_RATE_HZ).astype(np.float64)


def _noise(rng: Generator) -> NDArray[np.float64]:
    """Return white, pink or brown noise (power falling by 0, 3 or 6 dB per octave)."""
    return _colored(rng, rng.uniform(0.2, 1.5), rng.choice([0, 1, 2]))


def _near_silence(rng: Generator) -> NDArray[np.float64]:
    """Return noise with mains hum."""
    noise = _colored(rng, rng.uniform(0.3, 1.5), 1)
    hum = np.sin(2 * np.pi * rng.choice([50.0, 60.0]) * _seconds(noise))
    return np.asarray(noise / np.abs(noise).max() + rng.uniform(0, 1) * hum)


def _cough(rng: Generator) -> NDArray[np.float64]:
    """Return one to three bursts of noise through two resonances, each with a sharp onset and a decay."""
    bursts = [_burst(rng) for _ in range(rng.integers(1, 4))]
    return np.concatenate([piece for burst in bursts for piece in (burst, np.zeros(rng.integers(200, 1200)))])


def _burst(rng: Generator) -> NDArray[np.float64]:
    duration_s = rng.uniform(0.1, 0.35)
    noise = _colored(rng, duration_s, 0.6)
    spectrum, hertz = np.fft.rfft(noise), np.fft.rfftfreq(len(noise), 1 / SAMPLE_RATE_HZ)
    formants = [(rng.uniform(350, 900), 150.0), (rng.uniform(1100, 2400), 300.0)]
    gain = sum(1 / (1 + ((hertz - centre) / width) ** 2) for centre, width in formants) + 0.05
    decay = np.exp(-_seconds(noise) / (duration_s / 4))
    return np.asarray(np.fft.irfft(spectrum * gain, len(noise)) * decay)


def _tones(rng: Generator) -> NDArray[np.float64]:
    """Return a steady tone, a sweep, or a telephone's dual tone."""
    seconds = np.arange(rng.uniform(0.2, 1.5) * SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ
    low, high = (float(rng.choice(row)) for row in _DTMF_HZ)
    start, end = rng.uniform(100, 3000, 2)
    sweep = np.sin(2 * np.pi * (start * seconds + (end - start) * seconds**2 / (2 * seconds[-1])))
    steady, dual = np.sin(2 * np.pi * start * seconds), np.sin(2 * np.pi * low * seconds)
    return (steady, sweep, dual + np.sin(2 * np.pi * high * seconds))[rng.integers(3)]


def _music(rng: Generator) -> NDArray[np.float64]:
    """Return a few plucked notes of a major scale, alone or as chords, with ten harmonics each."""
    root_hz = rng.uniform(110, 330)
    return np.concatenate([_chord(rng, root_hz) for _ in range(rng.integers(2, 7))])


def _chord(rng: Generator, root_hz: float) -> NDArray[np.float64]:
    seconds = np.arange(rng.uniform(0.1, 0.3) * SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ
    steps = rng.choice(_SCALE_SEMITONES, rng.integers(1, 4), replace=False)
    notes = [root_hz * 2 ** (step / 12) for step in steps]
    overtones = [(note * number, 1 / number) for note in notes for number in range(1, 11)]
    audible = [(hertz, gain) for hertz, gain in overtones if hertz < SAMPLE_RATE_HZ / 2]
    return np.asarray(sum(gain * np.sin(2 * np.pi * hertz * seconds) for hertz, gain in audible)) * np.exp(-6 * seconds)


def _colored(rng: Generator, duration_s: float, exponent: float) -> NDArray[np.float64]:
    return colored_noise(round(duration_s * SAMPLE_RATE_HZ), exponent, rng)


def _seconds(sound: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.arange(len(sound)) / SAMPLE_RATE_HZ


KINDS: dict[str, Callable[[Generator], NDArray[np.float64]]] = {
    "speech": _speech,
    "cough": _cough,
    "noise": _noise,
    "tones": _tones,
    "music": _music,
    "near_silence": _near_silence,
}

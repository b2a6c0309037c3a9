"""A corpus with the shape and the size of AudioMNIST, spoken by eSpeak NG, to measure the pipeline with.

`python -m benchmarks.large_corpus FOLDER` writes `{speaker}/{digit}_{speaker}_{take}.wav`, 16-bit mono at 48 kHz, as
the corpus of Becker et al. ("AudioMNIST", 2023) has them: 60 speakers, 10 digits, 50 takes. A speaker is a voice, its
prosody, its distance from the microphone and the noise of its room; a take varies them a little. The same arguments
give the same bytes, in any number of processes, and a file does not depend on how many others there are.
"""

import sys
from collections.abc import Sequence
from functools import partial
from itertools import product
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import soundfile
import soxr
import typer
from numpy.random import Generator
from numpy.typing import NDArray
from rich.progress import track

from audiomnist.audio.augment import colored_noise
from audiomnist.core.digits import CLASSES, DIGIT_WORDS
from audiomnist.core.errors import AudiomnistError
from audiomnist.core.processes import available_cores, process_pool
from audiomnist.synthesis import espeak
from benchmarks.rounds import BenchmarkError

SAMPLE_RATE_HZ = 48_000
SPEAKERS, TAKES = 60, 50

_LANGUAGES = ("en", "en-us", "en-gb-scotland", "en-029", "en-gb-x-rp", "en-us-nyc", "de", "hi", "it", "es", "nl", "tr")
# Bounds of the uniform draws of a speaker.
_RATE_WPM = (110.0, 210.0)
_PITCH = (15.0, 80.0)
_PITCH_RANGE = (20, 80)
_PEAK_DBFS = (-24.0, -6.0)
_SNR_DB = (20.0, 45.0)
_NOISE_EXPONENT = (0.5, 1.5)
# Bounds of what a take adds or multiplies.
_RATE_FACTOR = (0.88, 1.12)
_PITCH_STEPS = (-6.0, 6.0)
_PEAK_DB = (-3.0, 3.0)
_PAUSE_S = (0.03, 0.15)
_SPOKEN = 1e-3  # of the peak: quieter ends are silence
_INT16 = 32767

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


class Speaker(NamedTuple):
    """One speaker; `name` is a number of two digits."""

    name: str
    voice: str
    rate_wpm: float
    pitch: float
    pitch_range: int
    peak_dbfs: float
    snr_db: float
    noise_exponent: float


def speaker(number: int, seed: int) -> Speaker:
    """Return the speaker of a number, from 1."""
    draw = np.random.default_rng([seed, number])
    voice = f"{draw.choice(_LANGUAGES)}+{draw.choice(espeak.variants())}"
    rate_wpm, pitch = draw.uniform(*_RATE_WPM), draw.uniform(*_PITCH)
    pitch_range = int(draw.integers(*_PITCH_RANGE))
    room = (draw.uniform(*bounds) for bounds in (_PEAK_DBFS, _SNR_DB, _NOISE_EXPONENT))
    return Speaker(f"{number:02}", voice, rate_wpm, pitch, pitch_range, *room)


def write_corpus(folder: Path, speakers: int, takes: int, seed: int, processes: int) -> None:
    """Write the corpus into a folder that is absent or empty.

    Raises:
        BenchmarkError: the folder has content or cannot be written.
        SynthesisError: eSpeak NG cannot be loaded, or does not have a voice.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise BenchmarkError(f"{folder} is not empty: name another folder")
        for number in range(1, speakers + 1):
            (folder / speaker(number, seed).name).mkdir()
    except OSError as error:
        raise BenchmarkError(f"{folder} cannot be written: {error.strerror}") from error
    work = list(product(range(1, speakers + 1), range(CLASSES)))
    write = partial(_write_digit, folder=folder, takes=takes, seed=seed)
    with process_pool(min(processes, len(work)), _start) as pool:
        for _ in track(pool.map(write, work), "speak", total=len(work)):
            pass


def _start() -> None:
    """Prepare nothing in a process."""


def _write_digit(work: tuple[int, int], folder: Path, takes: int, seed: int) -> None:
    """Write all takes of one digit by one speaker."""
    number, digit = work
    voice = speaker(number, seed)
    for take in range(takes):
        path = folder / voice.name / f"{digit}_{voice.name}_{take}.wav"
        draw = np.random.default_rng([seed, number, digit, take])
        soundfile.write(path, _take(voice, digit, draw), SAMPLE_RATE_HZ, subtype="PCM_16")


def _take(voice: Speaker, digit: int, draw: Generator) -> NDArray[np.int16]:
    """Return one take, int16 `(samples,)` at 48 kHz: the word between two pauses, with the noise of the room."""
    spoken = espeak.speak(
        DIGIT_WORDS[digit],
        voice.voice,
        rate_wpm=round(voice.rate_wpm * draw.uniform(*_RATE_FACTOR)),
        pitch=round(voice.pitch + draw.uniform(*_PITCH_STEPS)),
        pitch_range=voice.pitch_range,
        seed=int(draw.integers(2**31)),
    )
    word = soxr.resample(_without_silence(spoken.samples), spoken.sample_rate_hz, SAMPLE_RATE_HZ)
    samples = np.pad(word, [round(draw.uniform(*_PAUSE_S) * SAMPLE_RATE_HZ) for _ in range(2)]).astype(np.float64)
    samples *= 10 ** ((voice.peak_dbfs + draw.uniform(*_PEAK_DB)) / 20) / np.abs(samples).max()
    noise = colored_noise(len(samples), voice.noise_exponent, draw, has_mean=False)
    samples += noise * (_rms(samples) / _rms(noise) * 10 ** (-voice.snr_db / 20))
    pcm: NDArray[np.int16] = np.rint(_INT16 * samples.clip(-1, 1)).astype(np.int16)
    return pcm


def _without_silence(samples: NDArray[Any]) -> NDArray[Any]:
    magnitude = np.abs(samples)
    loud = (magnitude > _SPOKEN * magnitude.max()).nonzero()[0]
    return samples[loud[0] : loud[-1] + 1]


def _rms(samples: NDArray[np.float64]) -> float:
    return float(np.sqrt(np.mean(samples**2)))


@app.command()
def large_corpus(
    folder: Annotated[Path, typer.Argument(help="Absent or empty; the corpus is written here.")],
    speakers: Annotated[int, typer.Option(min=1, max=99, help="Number of speakers.")] = SPEAKERS,
    takes: Annotated[int, typer.Option(min=1, help="Takes of each digit by each speaker.")] = TAKES,
    seed: Annotated[int, typer.Option(min=0, help="Another seed gives other voices and takes.")] = 0,
    processes: Annotated[int | None, typer.Option(min=1, help="By default one per core.")] = None,
) -> None:
    """Write a corpus of synthetic voices: by default 30,000 files of 60 speakers."""
    write_corpus(folder, speakers, takes, seed, processes or available_cores())


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command; an error ends it with its message and status 1."""
    try:
        app(arguments)
    except AudiomnistError as error:
        sys.exit(f"benchmarks.large_corpus: {error}")


if __name__ == "__main__":
    main()

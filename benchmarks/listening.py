"""Time from the end of a word to its label, as `audiomnist listen` has it, in rooms of different noise.

`python -m benchmarks.listening` plays recordings of the corpus, with pauses between them, to what labels the sound of a
microphone, and writes the table in docs/microphone.md. Time in the stream is counted in samples, that of the model in
CPU time, so that a busy machine does not matter. A word ends where its magnitude falls below a hundredth of its peak
for good.
"""

import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
import typer

from audiomnist.audio import waveform
from audiomnist.audio.waveform import Samples, resampled
from audiomnist.core.errors import AudiomnistError
from audiomnist.corpus import manifest
from audiomnist.microphone import listen
from audiomnist.microphone.endpoint import Endpointer, Word
from audiomnist.microphone.listen import Labeller
from audiomnist.report.tables import ResultTable
from benchmarks import report
from benchmarks.rounds import recordings

PAGE = Path("docs/microphone.md")
MARKERS = "<!-- listening: python -m benchmarks.listening -->\n", "<!-- /listening -->"

_RATE_HZ = 44_100  # of most microphones
_PEAK = 0.3
_PAUSES_S = (0.8, 1.5)
_END_OF_WORD = 0.01  # of its peak
_NOISES_DBFS = (-80, -60, -50, -40)
_MAX_LATENCY_S = 0.3
_HEAD = (
    "noise, dBFS",
    "words",
    "heard",
    "digit right",
    "within 300 ms",
    "decided after, median, ms",
    "longest, ms",
    "model, longest, ms",
    "both, longest, ms",
)


class Said(NamedTuple):
    """A word in a stream: its digit, and where it begins and ends, in seconds."""

    digit: int
    begin_s: float
    end_s: float


def main(
    model: Annotated[Path, typer.Option(help="The bundle that labels.")] = Path("models/selected"),
    words: Annotated[int, typer.Option(min=1, help="Recordings to play.")] = 300,
) -> None:
    """Measure, and write the table in docs/microphone.md."""
    with tempfile.TemporaryDirectory(prefix="audiomnist-listening-") as work:
        stream, said = played(recordings(Path(work))[:words])
    labeller = listen.labeller(model)
    table = ResultTable(_HEAD, [row(stream, said, labeller, noise_dbfs) for noise_dbfs in _NOISES_DBFS])
    table.echo()
    report.replace_between(PAGE, *MARKERS, table.markdown())


def played(paths: list[Path]) -> tuple[Samples, list[Said]]:
    """Return recordings one after the other, equally loud, with pauses of different lengths, and where they are."""
    rng = np.random.default_rng(0)
    parts: list[Samples] = []
    said = []
    position = 0
    for path in paths:
        samples = resampled(waveform.read(path), _RATE_HZ)
        magnitude = np.abs(samples)
        loud = np.flatnonzero(magnitude > _END_OF_WORD * magnitude.max())
        pause = np.zeros(round(rng.uniform(*_PAUSES_S) * _RATE_HZ), np.float32)
        begin = position + len(pause)
        digit = manifest.parse_name(path.name, "").digit
        said.append(Said(digit, (begin + loud[0]) / _RATE_HZ, (begin + loud[-1] + 1) / _RATE_HZ))
        parts += [pause, samples * np.float32(_PEAK / magnitude.max())]
        position = begin + len(samples)
    return np.concatenate([*parts, np.zeros(_RATE_HZ, np.float32)]), said


def row(stream: Samples, said: list[Said], labeller: Labeller, noise_dbfs: float) -> tuple[str, ...]:
    """Return a row of the table: what is heard of a stream in noise of this level."""
    noise = np.random.default_rng(1).normal(0, 10 ** (noise_dbfs / 20), len(stream)).astype(np.float32)
    heard = _words(stream + noise)
    right, decided_s, model_s = 0, [], []
    for word in said:
        found = [each for each in heard if word.begin_s < each.end_s <= word.end_s + _MAX_LATENCY_S]
        if found:
            start_s = time.process_time()
            [prediction] = labeller.predict([found[-1].waveform])
            model_s.append(time.process_time() - start_s)
            decided_s.append(found[-1].decided_s - word.end_s)
            right += prediction is not None and int(prediction.probabilities.argmax()) == word.digit
    latencies_s = np.add(decided_s, model_s)
    counts = (len(said), len(decided_s), right, int((latencies_s <= _MAX_LATENCY_S).sum()))
    times_s = (np.median(decided_s), max(decided_s), max(model_s), max(latencies_s))
    return (f"{noise_dbfs:g}", *map(str, counts), *(f"{1000 * time_s:.0f}" for time_s in times_s))


def _words(samples: Samples) -> list[Word]:
    endpointer = Endpointer(_RATE_HZ)
    size = endpointer.frame_samples
    frames = (samples[start : start + size] for start in range(0, len(samples) - size + 1, size))
    return [word for frame in frames if (word := endpointer.feed(frame))]


if __name__ == "__main__":
    try:
        typer.run(main)
    except AudiomnistError as error:
        sys.exit(f"benchmarks: {error}")

"""The command `audiomnist listen` without its options: labels of the words that are heard."""

import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from audiomnist.audio.waveform import Samples, Waveform
from audiomnist.microphone.display import Answer, Display
from audiomnist.microphone.endpoint import Endpointer
from audiomnist.scoring.shutdown import Stop
from audiomnist.serving import cascade
from audiomnist.serving.predictor import Predict, predictor

Transcribe = Callable[[Waveform], str]

_WARM_UP_S, _WARM_UP_RATE_HZ = 0.6, 44_100


class Labeller(NamedTuple):
    """A model that is ready to predict."""

    name: str
    predict: Predict


def labeller(bundle: Path) -> Labeller:
    """Load a model, and let it predict once, since the first time takes longest.

    Raises:
        BundleError: the bundle is absent or wrong.
        RecognitionError: its recognizer cannot be loaded.
    """
    model = cascade.load(bundle, threads=1)
    predict = predictor(model)
    predict([_warm_up()])
    return Labeller(model.description.model, predict)


def whisper() -> Transcribe:
    """Load Whisper; return a function of its text; raises RecognitionError if it cannot be loaded."""
    from audiomnist.asr import registry  # noqa: PLC0415 - slow, and needed on request
    from audiomnist.asr.params import TranscribeParams  # noqa: PLC0415

    recognizer = registry.load(TranscribeParams())
    recognizer.recognize([_warm_up()])
    return lambda waveform: recognizer.recognize([waveform])[0].text


def _warm_up() -> Waveform:
    noise = np.random.default_rng(0).normal(0, 0.1, round(_WARM_UP_S * _WARM_UP_RATE_HZ))
    return Waveform(noise.astype(np.float32), _WARM_UP_RATE_HZ)


def listen(
    frames: Iterable[Samples],
    sample_rate_hz: int,
    labellers: Sequence[Labeller],
    transcribe: Transcribe | None,
    display: Display,
    count: int | None,
    stop: Stop,
) -> None:
    """Label words until so many were heard, or a stop is requested, or the sound ends.

    Args:
        frames: 10 ms each, float32 `(samples,)`.
        sample_rate_hz: of the frames.
        labellers: the label of the first is shown before the others begin.
        transcribe: returns a text to show, too.
        display: shows all of it.
        count: of words.
        stop: the request.
    """
    endpointer = Endpointer(sample_rate_hz)
    words = 0
    for frame in frames:
        word = endpointer.feed(frame)
        display.show_level(frame, is_in_word=endpointer.is_in_word)
        if word is not None:
            words += 1
            decided = time.perf_counter()
            for name, predict in labellers:
                [prediction] = predict([word.waveform])
                delay_s = word.decided_s - word.end_s + time.perf_counter() - decided
                display.show_answer(Answer(word.end_s, name, prediction, delay_s))
            if transcribe:
                display.show_text(transcribe(word.waveform))
        if words == count or stop.requested:
            return

"""The command `audiomnist listen` without its options: labels of the words that are heard."""

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import numpy as np

from audiomnist.audio.waveform import Waveform
from audiomnist.microphone.display import Answer, Display
from audiomnist.microphone.endpoint import Endpointer
from audiomnist.microphone.portaudio import Microphone
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
    microphone: Microphone,
    labellers: Sequence[Labeller],
    transcribe: Transcribe | None,
    display: Display,
    count: int | None,
    stop: Stop,
) -> None:
    """Label words until so many were heard, or for ever, or until a stop is requested.

    The label of the first model is shown before the others begin. A microphone goes on meanwhile: up to 5 s are kept.

    Raises:
        MicrophoneError: the device is gone.
    """
    endpointer = Endpointer(microphone.SAMPLE_RATE)
    words = 0
    with closing(microphone.frames()) as frames:
        while words != count and not stop.requested:
            word = endpointer.feed(frame := next(frames))
            display.show_level(frame, is_in_word=endpointer.is_in_word)
            if word is None:
                continue
            words += 1
            decided = time.perf_counter()
            for name, predict in labellers:
                [prediction] = predict([word.waveform])
                delay_s = word.decided_s - word.end_s + time.perf_counter() - decided
                display.show_answer(Answer(word.end_s, name, prediction, delay_s))
            if transcribe:
                display.show_text(transcribe(word.waveform))

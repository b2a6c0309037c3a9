"""What one process of the transcribe stage does: load the recognizer once, then batch after batch."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from audiomnist.asr.params import TranscribeParams
from audiomnist.asr.recognizer import Recognition, Recognizer
from audiomnist.asr.registry import Loader
from audiomnist.asr.utterance import Utterance
from audiomnist.audio.waveform import BadAudioError
from audiomnist.transcripts.table import Status

_UNUSABLE = (BadAudioError, ValueError, ArithmeticError, RuntimeError)

_loaded: list[Recognizer] = []


@dataclass(frozen=True)
class Outcome:
    """A recognition, and why there is none, where its status is failed."""

    recognition: Recognition
    reason: str = ""


def start(load: Loader, params: TranscribeParams) -> None:
    """Give this process its recognizer."""
    _loaded[:] = [load(params)]


def run(sounds: Sequence[Utterance], raw: Path) -> list[Outcome]:
    """Recognize sounds with this process's recognizer; raises RecognitionError if it is out of order."""
    return recognize(_loaded[0], sounds, raw)


def recognize(recognizer: Recognizer, sounds: Sequence[Utterance], raw: Path) -> list[Outcome]:
    """Return one outcome per sound. If a batch cannot be used as a whole, its clips are tried one by one."""
    try:
        waveforms = [sound.waveform(raw) for sound in sounds]
        return [Outcome(recognition) for recognition in recognizer.recognize(waveforms)]
    except _UNUSABLE:
        return [_alone(recognizer, sound, raw) for sound in sounds]


def _alone(recognizer: Recognizer, sound: Utterance, raw: Path) -> Outcome:
    try:
        [recognition] = recognizer.recognize([sound.waveform(raw)])
    except _UNUSABLE as error:
        return Outcome(Recognition(Status.FAILED, ()), str(error))
    return Outcome(recognition)

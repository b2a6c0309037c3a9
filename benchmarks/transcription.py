"""Transcription by our Whisper engine, beside SpeechRecognition's own functions as a script would call them.

Every round has clips of its own, of which the peers hear the first few. All run on one thread and are measured in CPU
seconds. A digit is found if the text is its word once repeats, numerals and homophones are merged.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import speech_recognition

from audiomnist.asr import registry, whisper_weights
from audiomnist.asr.audio_data import audio_data
from audiomnist.asr.normalize import merge
from audiomnist.asr.params import TranscribeParams
from audiomnist.asr.recognizer import Recogniser
from audiomnist.audio import waveform as audio
from audiomnist.audio.waveform import Waveform
from audiomnist.core.digits import DIGIT_WORDS
from audiomnist.core.params import section
from audiomnist.corpus.manifest import parse_name
from benchmarks import figures
from benchmarks.figures import Round
from benchmarks.material import Setting

_CLIPS, _FEW_CLIPS = 16, 2
_PEERS_CLIPS, _PEERS_FEW_CLIPS = 6, 1

_RATIOS = {
    "ratio_to_sphinx": ("clips_per_cpu_s", "sphinx_clips_per_cpu_s"),
    "ratio_to_faster_whisper": ("clips_per_cpu_s", "faster_whisper_clips_per_cpu_s"),
}

Transcribe = Callable[[Sequence[Waveform]], list[str]]


def measure(setting: Setting) -> dict[str, Any]:
    """Return clips per CPU second, and the share of clips whose digit was found, ours of the peers' clips too."""
    how = section(setting.parameters, "transcribe", TranscribeParams).model_copy(update={"engine": "whisper"})
    clips, few = setting.size(_CLIPS, _FEW_CLIPS), setting.size(_PEERS_CLIPS, _PEERS_FEW_CLIPS)
    ways: dict[str, tuple[Transcribe, int]] = {
        "": (partial(_ours, registry.load(how), how.batch_clips), clips),
        "sphinx_": (_by_sphinx, few),
        "faster_whisper_": (
            partial(_by_faster_whisper, whisper_weights.locate(how.whisper.weights, how.model_path)),
            few,
        ),
    }
    heard = {name: _Ear(transcribe, _dealt(setting, clips, first)) for name, (transcribe, first) in ways.items()}
    measures = [partial(_timed, name, ear) for name, ear in heard.items()]
    rounds = figures.interleaved(measures, setting.repetitions, "transcription", setting.console)
    return {
        "threads": 1,
        "clips": clips * setting.repetitions,
        "peers_clips": few * setting.repetitions,
        "found_of_peers_clips": heard[""].found(few),
        **{f"{name}found": ear.found() for name, ear in heard.items()},
        **figures.told([figures.with_ratios(found, _RATIOS) for found in rounds]),
    }


class _Ear:
    """A way to transcribe, and of which clips it found the digit, by round."""

    def __init__(self, transcribe: Transcribe, rounds: Iterator[Sequence[Path]]) -> None:
        self._transcribe, self._rounds = transcribe, rounds
        self._hits: list[list[bool]] = []

    def hear(self) -> float:
        """Hear the clips of the next round; return how many a CPU second took."""
        paths = next(self._rounds)
        waveforms = [audio.read(path) for path in paths]
        start = time.process_time()
        texts = self._transcribe(waveforms)
        seconds = time.process_time() - start
        self._hits.append([_is_found(text, path) for text, path in zip(texts, paths, strict=True)])
        return len(paths) / seconds

    def found(self, first: int | None = None) -> float:
        """Return the share of clips whose digit was found, of the first few of each round alone if it is said."""
        hits = [hit for hits in self._hits for hit in hits[:first]]
        return round(sum(hits) / len(hits), 4)


def _timed(name: str, ear: _Ear) -> Round:
    return {f"{name}clips_per_cpu_s": ear.hear()}


def _dealt(setting: Setting, clips: int, first: int) -> Iterator[Sequence[Path]]:
    """Yield the first of each round's clips."""
    for number in range(setting.repetitions):
        yield setting.recordings[number * clips : number * clips + first]


def _is_found(text: str, path: Path) -> bool:
    return merge(text) == DIGIT_WORDS[parse_name(path.name, "").digit]


def _ours(recogniser: Recogniser, batch_clips: int, waveforms: Sequence[Waveform]) -> list[str]:
    starts = range(0, len(waveforms), batch_clips)
    batches = [recogniser.recognise(waveforms[start : start + batch_clips]) for start in starts]
    return [recognition.text for batch in batches for recognition in batch]


def _by_sphinx(waveforms: Sequence[Waveform]) -> list[str]:
    return [_text(speech_recognition.Recognizer().recognize_sphinx, waveform) for waveform in waveforms]


def _by_faster_whisper(folder: Path, waveforms: Sequence[Waveform]) -> list[str]:
    options = {"model": str(folder), "init_options": {"device": "cpu", "cpu_threads": 1}}
    recognise = partial(speech_recognition.Recognizer().recognize_faster_whisper, **options)
    return [_text(recognise, waveform) for waveform in waveforms]


def _text(recognise: Callable[..., str], waveform: Waveform) -> str:
    """Return what is heard in a clip, "" for nothing."""
    try:
        return recognise(audio_data(waveform))
    except speech_recognition.UnknownValueError:
        return ""

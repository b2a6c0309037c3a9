"""Transcription in batches, as in the pipeline, beside SpeechRecognition's `recognize_faster_whisper` clip by clip.

Both have the same weights and one thread, and are measured in CPU seconds. Each round has other clips, of which the
peer gets the first few. A digit is found if the text is its word once repeats, numerals and homophones are merged.
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
from audiomnist.asr.recognizer import Recognizer
from audiomnist.audio import waveform
from audiomnist.audio.waveform import Waveform
from audiomnist.core.digits import DIGIT_WORDS
from audiomnist.core.params import section
from audiomnist.corpus.manifest import parse_name
from benchmarks.rounds import Round, Setting, interleaved, summary, with_ratios

Transcribe = Callable[[Sequence[Waveform]], list[str]]


def measure(setting: Setting) -> dict[str, Any]:
    """Return clips per CPU second, and the share of clips whose digit was found, ours of the peer's clips too."""
    params = section(Path("params.yaml"), "transcribe", TranscribeParams).model_copy(update={"engine": "whisper"})
    clips, few = setting.size(16, 2), setting.size(6, 1)
    clips_of_rounds = [setting.recordings[number * clips :][:clips] for number in range(setting.repetitions)]
    weights = whisper_weights.locate(params.whisper.weights, params.model_path)
    engine, peer = partial(in_batches, registry.load(params), params.batch_size), partial(by_faster_whisper, weights)
    ours: list[bool] = []
    theirs: list[bool] = []
    measures = [
        partial(_timed, "", engine, iter(clips_of_rounds), ours),
        partial(_timed, "faster_whisper_", peer, iter([paths[:few] for paths in clips_of_rounds]), theirs),
    ]
    rounds = interleaved(measures, setting.repetitions, "transcription")
    return {
        "threads": 1,
        "clips": len(ours),
        "peers_clips": len(theirs),
        "found_of_peers_clips": _share([found for place, found in enumerate(ours) if place % clips < few]),
        "found": _share(ours),
        "faster_whisper_found": _share(theirs),
        **summary([with_ratios(values, "clips_per_cpu_s", ["faster_whisper"]) for values in rounds]),
    }


def _timed(name: str, transcribe: Transcribe, rounds: Iterator[Sequence[Path]], found: list[bool]) -> Round:
    """Transcribe the clips of the next round, and add for each whether its digit was found."""
    paths = next(rounds)
    waveforms = [waveform.read(path) for path in paths]
    start = time.process_time()
    texts = transcribe(waveforms)
    seconds = time.process_time() - start
    digits = [parse_name(path.name, "").digit for path in paths]
    found += [merge(text) == DIGIT_WORDS[digit] for text, digit in zip(texts, digits, strict=True)]
    return {f"{name}clips_per_cpu_s": len(paths) / seconds}


def _share(found: Sequence[bool]) -> float:
    return round(sum(found) / len(found), 4)


def in_batches(recognizer: Recognizer, batch_size: int, waveforms: Sequence[Waveform]) -> list[str]:
    """Return the pipeline's text of each clip."""
    starts = range(0, len(waveforms), batch_size)
    batches = (recognizer.recognize(waveforms[start : start + batch_size]) for start in starts)
    return [recognition.text for batch in batches for recognition in batch]


def by_faster_whisper(weights: Path, waveforms: Sequence[Waveform]) -> list[str]:
    """Return the text that SpeechRecognition returns for each clip, called as documented."""
    recognizer = speech_recognition.Recognizer()
    options = {"model": str(weights), "init_options": {"device": "cpu", "cpu_threads": 1}}
    return [recognizer.recognize_faster_whisper(audio_data(one), **options) for one in waveforms]

"""CMU Sphinx with SpeechRecognition's American English models and their free language model.

`Recognizer.recognize_sphinx` builds a decoder for each call; this one is built once, and gives the
same texts.
"""

import math
import os
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from itertools import islice
from pathlib import Path

import pocketsphinx
import speech_recognition

from audiomnist.asr.audio_data import audio_data
from audiomnist.asr.params import SphinxParams
from audiomnist.asr.recognizer import Hypothesis, Recognition, RecognitionError
from audiomnist.audio.waveform import Waveform

_SAMPLE_RATE_HZ = 16_000
_SAMPLE_BYTES = 2
# The n-best list repeats a text for each of its segmentations; further down there is little new.
_SEARCHED = 200


class SphinxRecognizer:
    """The best text comes first, then those of pocketsphinx's n-best list, in its order.

    Scores are natural logarithms of what pocketsphinx gives; the best text's is that of the lattice's best
    path, so that it compares with other clips' best texts, not with the other scores of its clip.
    """

    engine = "sphinx"
    weights_sha256 = None

    def __init__(self, params: SphinxParams, n_best: int) -> None:
        """Build the decoder; raises RecognitionError where SpeechRecognition's models are absent."""
        self.version = f"SpeechRecognition {version('SpeechRecognition')}, pocketsphinx {version('pocketsphinx')}"
        self._params = params
        self._n_best = n_best
        self._decoder = _decoder(Path(speech_recognition.__file__).parent / "pocketsphinx-data" / "en-US")

    def recognize(self, waveforms: Sequence[Waveform]) -> list[Recognition]:
        """Return one result per waveform, each an utterance of its own."""
        return [self._recognize(waveform) for waveform in waveforms]

    def _recognize(self, waveform: Waveform) -> Recognition:
        sound = audio_data(waveform, self._params.padding_s)
        pcm = sound.get_raw_data(convert_rate=_SAMPLE_RATE_HZ, convert_width=_SAMPLE_BYTES)
        self._decoder.start_utt()
        try:
            self._decoder.process_raw(pcm, no_search=False, full_utt=True)
        finally:
            self._decoder.end_utt()
        return Recognition.of(self._distinct())

    def _distinct(self) -> list[Hypothesis]:
        distinct: dict[str, Hypothesis] = {}
        for hypothesis in self._readings():
            distinct.setdefault(hypothesis.text, hypothesis)
            if len(distinct) == self._n_best:
                break
        return list(distinct.values())

    def _readings(self) -> Iterator[Hypothesis]:
        best = self._decoder.hyp()
        if best is None or not best.hypstr:
            return
        yield Hypothesis(best.hypstr, _log(best.score))
        for reading in islice(self._decoder.nbest(), _SEARCHED):
            if reading is not None and reading.hypstr:
                yield Hypothesis(reading.hypstr, _log(reading.score))


def _decoder(models: Path) -> pocketsphinx.Decoder:
    config = pocketsphinx.Config()
    config["hmm"] = str(models / "acoustic-model")
    config["lm"] = str(models / "language-model.lm.bin")
    config["dict"] = str(models / "pronounciation-dictionary.dict")
    config["logfn"] = os.devnull
    try:
        return pocketsphinx.Decoder(config)
    except RuntimeError as error:
        raise RecognitionError(
            f"pocketsphinx cannot load the models in {models} ({error}): reinstall SpeechRecognition"
        ) from error


def _log(likelihood: float) -> float:
    return math.log(likelihood) if likelihood > 0 else -math.inf

"""CMU Sphinx with the American English models of SpeechRecognition.

`Recognizer.recognize_sphinx` builds a decoder for each call; this one is built once, and gives the same texts.
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
# The n-best list repeats a text for each of its segmentations, so that few texts are new further down.
_MAX_SEGMENTATIONS = 200


class SphinxRecognizer:
    """The best text, then those of pocketsphinx's n-best list in their order.

    Scores are natural logarithms of pocketsphinx's. The score of the best text is that of the best path of the lattice:
    comparable with the best texts of other clips, not with the other scores of its clip.
    """

    engine = "sphinx"
    weights_sha256 = None

    def __init__(self, params: SphinxParams, n_best: int) -> None:
        """Build the decoder; raises RecognitionError without SpeechRecognition's models."""
        self.version = f"SpeechRecognition {version('SpeechRecognition')}, pocketsphinx {version('pocketsphinx')}"
        self._padding_s = params.padding_s
        self._n_best = n_best
        self._decoder = _decoder(Path(speech_recognition.__file__).parent / "pocketsphinx-data" / "en-US")

    def recognize(self, waveforms: Sequence[Waveform]) -> list[Recognition]:
        """Return one result per waveform."""
        return [self._recognize(waveform) for waveform in waveforms]

    def _recognize(self, waveform: Waveform) -> Recognition:
        audio = audio_data(waveform, self._padding_s)
        pcm = audio.get_raw_data(convert_rate=_SAMPLE_RATE_HZ, convert_width=_SAMPLE_BYTES)
        self._decoder.start_utt()
        try:
            self._decoder.process_raw(pcm, no_search=False, full_utt=True)
        finally:
            self._decoder.end_utt()
        return Recognition.of(self._hypotheses(), self._n_best)

    def _hypotheses(self) -> Iterator[Hypothesis]:
        best = self._decoder.hyp()
        if best is None or not best.hypstr:
            return
        yield Hypothesis(best.hypstr, _log(best.score))
        for segmentation in islice(self._decoder.nbest(), _MAX_SEGMENTATIONS):
            if segmentation is not None and segmentation.hypstr:
                yield Hypothesis(segmentation.hypstr, _log(segmentation.score))


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

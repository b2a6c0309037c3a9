"""Whisper, run by CTranslate2 on one thread.

The encoder gets `context_frames` frames instead of the 30 s that Whisper was trained on: digits last less than 3 s, and
this costs a tenth. The texts of a clip do not depend on the batch that it is in.
"""

from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

import ctranslate2
import numpy as np
from faster_whisper import WhisperModel
from faster_whisper.audio import pad_or_trim
from numpy.typing import NDArray

from audiomnist.asr import whisper_weights
from audiomnist.asr.params import WeightsParams, WhisperParams
from audiomnist.asr.recognizer import Hypothesis, Recognition, RecognitionError
from audiomnist.audio.waveform import Samples, Waveform, resampled

SAMPLE_RATE_HZ = 16_000

_PROMPT = ("<|startoftranscript|>", "<|notimestamps|>")
_END = "<|endoftext|>"


class WhisperRecognizer:
    """English Whisper. Scores are log-probabilities per token (natural logarithm, <= 0)."""

    engine = "whisper"

    def __init__(self, params: WhisperParams, n_best: int, model_path: str | None = None) -> None:
        """Load the weights.

        Raises:
            RecognitionError: they are absent, altered, or not English-only.
        """
        self.version = library_versions()
        self.weights_sha256 = params.weights.sha256
        self._params = params
        self._n_best = n_best
        self._whisper = load(params.weights, params.compute_type, model_path)
        self._prompt = prompt(self._whisper)
        self._end: int = self._whisper.hf_tokenizer.token_to_id(_END)

    def recognize(self, waveforms: Sequence[Waveform]) -> list[Recognition]:
        """Return one result per waveform, from one run of the model over all of them."""
        if not waveforms:
            return []
        results = self._generate(np.stack([self._features(waveform) for waveform in waveforms]))
        return [Recognition.of(self._hypotheses(result)) for result in results]

    def _features(self, waveform: Waveform) -> NDArray[np.float32]:
        """Return log-mel features, float32 `(80, context_frames)`, about -1 to 1, zero after the end."""
        samples = resampled(waveform, SAMPLE_RATE_HZ)
        return log_mel(self._whisper, samples, self._params.padding_s, self._params.context_frames)

    def _generate(self, features: NDArray[np.float32]) -> Any:
        """Return CTranslate2's results for features `(batch, 80, context_frames)`."""
        encoded = self._whisper.model.encode(ctranslate2.StorageView.from_array(features))
        return self._whisper.model.generate(
            encoded,
            [self._prompt] * len(features),
            beam_size=self._params.beam_size,
            num_hypotheses=self._n_best,
            max_length=len(self._prompt) + self._params.max_new_tokens,
            return_scores=True,
        )

    def _hypotheses(self, result: Any) -> list[Hypothesis]:
        decode = self._whisper.hf_tokenizer.decode
        texts = [decode([token for token in tokens if token < self._end]) for tokens in result.sequences_ids]
        return [Hypothesis(text, score) for text, score in zip(texts, result.scores, strict=True)]


def library_versions() -> str:
    """Return the names and versions of the libraries that run Whisper."""
    return f"faster-whisper {version('faster-whisper')}, ctranslate2 {ctranslate2.__version__}"


def load(weights: WeightsParams, compute_type: str, model_path: str | None = None) -> Any:
    """Return the `WhisperModel`, on one thread.

    Raises:
        RecognitionError: the weights are absent, altered, or not English-only.
    """
    folder = whisper_weights.locate(weights, model_path)
    try:
        whisper = WhisperModel(str(folder), device="cpu", compute_type=compute_type, cpu_threads=1)
    except (OSError, RuntimeError, ValueError) as error:
        raise RecognitionError(f"CTranslate2 cannot load the weights in {folder}: {error}") from error
    if whisper.model.is_multilingual:
        raise RecognitionError(f"{folder} holds a multilingual Whisper: an English-only one (.en) is needed")
    return whisper


def prompt(whisper: Any) -> list[int]:
    """Return the ids of the tokens that a transcript without timestamps begins with."""
    return [whisper.hf_tokenizer.token_to_id(token) for token in _PROMPT]


def log_mel(whisper: Any, samples: Samples, padding_s: float, context_frames: int) -> NDArray[np.float32]:
    """Return log-mel features of samples at 16 kHz, float32 `(80, context_frames)`, about -1 to 1, zero after the end.

    `padding_s` is silence before and after the samples, in seconds.
    """
    features = whisper.feature_extractor(np.pad(samples, round(padding_s * SAMPLE_RATE_HZ)))
    return np.ascontiguousarray(pad_or_trim(features, context_frames), dtype=np.float32)

"""The distribution of Whisper's first token, from one step of decoding.

The text of a transcript is the most probable one alone; these probabilities say what else a clip may be. One step costs
a fifth of the beam search for the text. The encoder gets as many frames as the clip needs, in steps, and clips of equal
contexts are read together: the result for a clip does not depend on the others, to the last bit.
"""

from collections.abc import Sequence
from itertools import groupby
from typing import Any, Literal

import ctranslate2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError

from audiomnist.asr import whisper
from audiomnist.asr.params import ComputeType, Sha256, WeightsParams
from audiomnist.asr.recognizer import RecognitionError, RecordError
from audiomnist.asr.tokens import FirstToken, digit_texts
from audiomnist.asr.whisper import SAMPLE_RATE_HZ
from audiomnist.audio.waveform import Samples, Waveform, loudest, resampled, without_offset
from audiomnist.core.frozen_model import FrozenModel, first_error
from audiomnist.logprobs.params import FRAMES_PER_S, LogprobsParams


class FirstTokenModel:
    """English Whisper, of which only the first token is asked for."""

    def __init__(
        self,
        params: LogprobsParams,
        weights: WeightsParams,
        compute_type: str = "int8",
        model_path: str | None = None,
        tokens: Sequence[str] | None = None,
    ) -> None:
        """Load the weights.

        Args:
            params: padding, context and batches.
            weights: what to load.
            compute_type: CTranslate2's arithmetic.
            model_path: a local folder of the weights.
            tokens: texts of the listed tokens; by default those of `digit_texts` that are one token.

        Raises:
            RecognitionError: the weights are absent, altered, or not English-only; or a text is not one token; or there
                is no text.
        """
        if tokens is not None and not tokens:
            raise RecognitionError("the list of tokens is empty: name the texts of some, or none for the usual ones")
        self._params = params
        self._weights_sha256 = weights.sha256
        self._compute_type = compute_type
        self._whisper = whisper.load(weights, compute_type, model_path)
        self._prompt = whisper.prompt(self._whisper)
        ids = {text: self._ids(text) for text in (digit_texts() if tokens is None else tokens)}
        single = {text: found[0] for text, found in ids.items() if len(found) == 1}
        if tokens and len(single) < len(tokens):
            raise RecognitionError(f"{sorted(ids.keys() - single.keys())} are not tokens of these weights")
        self._token_ids = list(single.values())
        self.tokens = list(single)

    def record(self) -> dict[str, Any]:
        """Return what determines the results, as it is stored beside them: see `from_record`."""
        return {
            "engine": "whisper",
            "version": whisper.library_versions(),
            "weights_sha256": self._weights_sha256,
            "settings": {**self._params.model_dump(), "compute_type": self._compute_type},
            "tokens": self.tokens,
        }

    def read(self, waveforms: Sequence[Waveform]) -> list[FirstToken]:
        """Return the first token of each clip.

        Raises:
            ValueError, RuntimeError: one of the clips cannot be used.
        """
        clips = [self._prepared(waveform) for waveform in waveforms]
        contexts = [self._context(clip) for clip in clips]
        found: dict[int, FirstToken] = {}
        order = sorted(range(len(clips)), key=contexts.__getitem__)
        for context, same in groupby(order, key=contexts.__getitem__):
            indices = list(same)
            for start in range(0, len(indices), self._params.batch_size):
                batch = indices[start : start + self._params.batch_size]
                found |= zip(batch, self._read([clips[index] for index in batch], context), strict=True)
        return [found[index] for index in range(len(clips))]

    def _prepared(self, waveform: Waveform) -> Samples:
        samples = resampled(without_offset(waveform), SAMPLE_RATE_HZ)
        return loudest(samples, round(self._params.max_duration_s * SAMPLE_RATE_HZ))

    def _context(self, clip: Samples) -> int:
        """Return the length of the encoder's input, in frames: it depends on the length of the clip alone."""
        params = self._params
        seconds = len(clip) / SAMPLE_RATE_HZ + 2 * params.padding_s
        steps = int(np.ceil(round(seconds * FRAMES_PER_S, 6) / params.context_step))
        return min(max(params.min_context, steps * params.context_step), params.max_context)

    def _read(self, clips: Sequence[Samples], context: int) -> list[FirstToken]:
        features = [whisper.log_mel(self._whisper, clip, self._params.padding_s, context) for clip in clips]
        model = self._whisper.model
        results = model.generate(
            model.encode(ctranslate2.StorageView.from_array(np.stack(features))),
            [self._prompt] * len(clips),
            beam_size=1,
            max_length=len(self._prompt) + 1,
            return_logits_vocab=True,
        )
        return [self._first_token(np.asarray(result.logits[0][0]), context) for result in results]

    def _first_token(self, logits: NDArray[np.float32], context: int) -> FirstToken:
        """Return the first token from the logits of the vocabulary, float32 `(vocabulary,)`."""
        best = int(logits.argmax())
        shifted = logits - logits[best]
        logprobs = shifted[self._token_ids] - np.log(np.exp(shifted).sum())
        if not np.isfinite(logprobs).all():
            raise ValueError("the recognizer returned numbers that are not finite")
        return FirstToken(logprobs, context, self._whisper.hf_tokenizer.decode([best]).strip())

    def _ids(self, text: str) -> list[int]:
        ids: list[int] = self._whisper.hf_tokenizer.encode(text, add_special_tokens=False).ids
        return ids


class _Settings(LogprobsParams):
    compute_type: ComputeType


class _Record(FrozenModel):
    engine: Literal["whisper"]
    version: str
    weights_sha256: Sha256
    settings: _Settings
    tokens: tuple[str, ...] = Field(min_length=1)


def from_record(record: dict[str, Any]) -> FirstTokenModel:
    """Return the model that a record describes (see `FirstTokenModel.record`).

    Raises:
        RecordError: the record is not one of such a model.
        RecognitionError: the model cannot be loaded.
    """
    try:
        given = _Record.model_validate(record)
    except ValidationError as error:
        raise RecordError(first_error(error)) from error
    weights, settings = WeightsParams(sha256=given.weights_sha256), given.settings
    return FirstTokenModel(settings, weights, settings.compute_type, tokens=given.tokens)

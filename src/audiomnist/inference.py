"""Running a model bundle: NumPy and ONNX Runtime, and nothing else that is heavy."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from audiomnist import audio
from audiomnist.audio import Samples, Waveform
from audiomnist.bundle import (
    DESCRIPTION,
    GRAPH,
    BundleError,
    Description,
    Preparation,
    WaveformInput,
    describe,
    read_graph,
)
from audiomnist.onnx_session import session
from audiomnist.text import encode, pad_tokens

_TENSORS = {
    "waveform": ["tensor(float)", "tensor(int64)"],
    "transcript": ["tensor(int64)", "tensor(int64)"],
}


@dataclass(frozen=True, eq=False)
class Predictions:
    """What a model says of a batch of clips.

    Attributes:
        probabilities: calibrated, float32 `(batch, 10)`.
        ood_scores: float32 `(batch,)`: how far out of the distribution of digits a clip lies; above 1 lies one in
            twenty digits by voices that were not trained on.
    """

    probabilities: NDArray[np.float32]
    ood_scores: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Model:
    """A checked bundle, ready to predict."""

    description: Description
    version: str
    session: Any

    def prepare(self, waveform: Waveform) -> Samples:
        """Return the samples that a waveform graph takes, float32 `(samples,)`."""
        how = self._preparation
        max_samples = round(how.max_duration_s * how.sample_rate_hz)
        return audio.prepare(waveform, how.sample_rate_hz, how.trim_db, max_samples)

    def predict_waveforms(self, prepared: Sequence[Samples]) -> Predictions:
        """Return the predictions for what `prepare` returned."""
        waveforms, lengths = audio.pad(list(prepared), at_least=self._preparation.window_samples)
        return self._run({"inputs": waveforms, "lengths": lengths})

    def predict_texts(self, hypotheses: Sequence[Sequence[str]]) -> Predictions:
        """Return the predictions for each clip's hypotheses, best first."""
        tokens, lengths = pad_tokens([encode(texts) for texts in hypotheses])
        return self._run({"inputs": tokens, "lengths": lengths})

    @property
    def _preparation(self) -> Preparation:
        given = self.description.input
        if not isinstance(given, WaveformInput):
            raise BundleError(f"the model {self.description.model} takes transcripts, not waveforms")
        return given.preparation

    def _run(self, feeds: dict[str, NDArray[Any]]) -> Predictions:
        logits, novelty = self.session.run(["logits", "novelty"], feeds)
        how = self.description.calibration
        ood_scores = (novelty - how.typical_novelty) / (how.strange_novelty - how.typical_novelty)
        divisors = how.temperature * np.maximum(ood_scores, 1)
        return Predictions(softmax(logits / divisors[:, None]), ood_scores.astype(np.float32))


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return probabilities, float32 `(batch, classes)`."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), dtype=np.float32)


def load(folder: Path, threads: int) -> Model:
    """Open a bundle for inference on the CPU with that many threads.

    Raises:
        BundleError: says which file is wrong, why, and how to get it back.
    """
    description, version = describe(folder)
    graph = read_graph(folder, description)
    try:
        opened = session(graph, threads)
    except Exception as error:  # onnxruntime's errors share no base class but this
        raise BundleError(f"{folder / GRAPH} is no graph that can be run: {error}") from error
    given = [node.type for node in opened.get_inputs()]
    if given != _TENSORS[description.input.kind]:
        raise BundleError(f"{folder / GRAPH} takes {given}, and {DESCRIPTION} says {description.input.kind}")
    return Model(description, version, opened)

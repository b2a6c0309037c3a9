"""Running a model bundle: NumPy and ONNX Runtime, and nothing else that is heavy."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from audiomnist.audio import waveform as audio
from audiomnist.audio.waveform import Samples, Waveform
from audiomnist.serving import batching
from audiomnist.serving.bundle.description import (
    DESCRIPTION,
    GRAPH,
    OUTPUTS,
    BundleError,
    Description,
    Preparation,
    WaveformInput,
    describe,
    read_graph,
)
from audiomnist.serving.bundle.session import session
from audiomnist.transcripts.tokenizer import encode

# What a graph takes, by the kind of its bundle, in batches of inputs that have equally many steps.
_TAKEN = {"waveform": [("inputs", "tensor(float)")], "transcript": [("inputs", "tensor(int64)")]}

Batches = Iterable[tuple[NDArray[np.intp], NDArray[Any]]]


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
        return audio.prepare(waveform, how.sample_rate_hz, how.trim_top_db, max_samples)

    def predict_waveforms(self, prepared: Sequence[Samples]) -> Predictions:
        """Return the predictions for what `prepare` returned."""
        batches = batching.batches(prepared, self._preparation.win_length, self._hop_samples)
        return self._predict(len(prepared), batches)

    def predict_texts(self, hypotheses: Sequence[Sequence[str]]) -> Predictions:
        """Return the predictions for each clip's hypotheses, best first."""
        tokens = [encode(texts) for texts in hypotheses]
        batches = (
            (places, np.array([tokens[place] for place in places])) for places in batching.equal([*map(len, tokens)])
        )
        return self._predict(len(tokens), batches)

    @cached_property
    def _preparation(self) -> Preparation:
        given = self.description.input
        if not isinstance(given, WaveformInput):
            raise BundleError(f"the model {self.description.model} takes transcripts, not waveforms")
        return given.preparation

    def _predict(self, count: int, batches: Batches) -> Predictions:
        """Return the predictions for so many clips, each of which is in one of the batches."""
        logits = np.empty((count, len(self.description.labels)), dtype=np.float32)
        novelty = np.empty(count, dtype=np.float32)
        for places, inputs in batches:
            logits[places], novelty[places] = self.session.run(OUTPUTS, {"inputs": inputs})
        return self._calibrated(logits, novelty)

    @property
    def _hop_samples(self) -> int:
        given = self.description.input
        return int(given.front_end["hop_length"]) if isinstance(given, WaveformInput) else 0

    def _calibrated(self, logits: NDArray[np.float32], novelty: NDArray[np.float32]) -> Predictions:
        how = self.description.calibration
        ood_scores = (novelty - how.ood_median) / (how.ood_p95 - how.ood_median)
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
    given, kind = _taken(opened), description.input.kind
    answers = tuple(node.name for node in opened.get_outputs())
    if given != _TAKEN[kind] or answers != OUTPUTS:
        raise BundleError(
            f"{folder / GRAPH} takes {_told(given)} and gives {', '.join(answers)}: no graph over {kind}s, which "
            f"{DESCRIPTION} says it is. dvc checkout or dvc repro brings the right one"
        )
    return Model(description, version, opened)


def _taken(session: Any) -> list[tuple[str, str]]:
    return [(node.name, node.type) for node in session.get_inputs()]


def _told(tensors: Sequence[tuple[str, str]]) -> str:
    return ", ".join(f"{name} ({kind})" for name, kind in tensors)

"""Inference with a model bundle, on NumPy and ONNX Runtime."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from audiomnist.audio import waveform
from audiomnist.audio.waveform import Samples, Waveform
from audiomnist.serving import batching
from audiomnist.serving.bundle.description import (
    DESCRIPTION,
    GRAPH,
    OUTPUTS,
    BundleError,
    Calibration,
    Description,
    LogprobsInput,
    Preparation,
    WaveformInput,
    describe,
    how_to_restore,
    read_graph,
)
from audiomnist.serving.bundle.session import session
from audiomnist.transcripts.tokenizer import encode

# Inputs of a graph, by the kind of its bundle; all inputs in a batch have the same length.
_INPUTS = {
    "waveform": [("inputs", "tensor(float)")],
    "transcript": [("inputs", "tensor(int64)")],
    "logprobs": [("inputs", "tensor(float)")],
}

# Indices of the inputs in a batch, and the inputs.
Batches = Iterable[tuple[NDArray[np.intp], NDArray[Any]]]


@dataclass(frozen=True, eq=False)
class Predictions:
    """Predictions for a batch of clips.

    Attributes:
        probabilities: calibrated, float32 `(batch, 10)`.
        ood_scores: distance from the distribution of digits, float32 `(batch,)`; above 1 for one in twenty digits
            by voices that were not trained on.
    """

    probabilities: NDArray[np.float32]
    ood_scores: NDArray[np.float32]

    def at(self, index: int) -> "Predictions":
        """Return the predictions for one of the clips."""
        return Predictions(self.probabilities[index : index + 1], self.ood_scores[index : index + 1])


@dataclass(frozen=True, eq=False)
class Model:
    """A checked bundle and its open session."""

    folder: Path
    description: Description
    version: str
    session: Any

    @property
    def kind(self) -> str:
        """What the graph takes: `waveform`, `transcript` or `logprobs`."""
        return self.description.input.kind

    def prepare(self, recording: Waveform) -> Samples:
        """Return the samples that a waveform graph takes, float32 `(samples,)`."""
        params = self._preparation
        max_samples = round(params.max_duration_s * params.sample_rate_hz)
        return waveform.prepare(recording, params.sample_rate_hz, params.trim_top_db, max_samples)

    def predict_waveforms(self, prepared: Sequence[Samples]) -> Predictions:
        """Return the predictions for outputs of `prepare`."""
        params = self._preparation
        return self._predict(len(prepared), batching.batches(prepared, params.win_length, params.hop_length))

    def predict_texts(self, hypotheses: Sequence[Sequence[str]]) -> Predictions:
        """Return the predictions for each clip's hypotheses, best first."""
        tokens = [encode(texts) for texts in hypotheses]
        lengths = [len(ids) for ids in tokens]
        batches = ((indices, np.array([tokens[index] for index in indices])) for indices in batching.equal(lengths))
        return self._predict(len(tokens), batches)

    def predict_logprobs(self, logprobs: NDArray[np.float32]) -> Predictions:
        """Return the predictions for log-probabilities of first tokens, `(batch, tokens)`."""
        return self._predict(len(logprobs), [(np.arange(len(logprobs)), logprobs)])

    @cached_property
    def _preparation(self) -> Preparation:
        if not isinstance(self.description.input, WaveformInput):
            raise BundleError(
                f"the model {self.description.model} takes what a speech recognizer returns, not waveforms"
            )
        return self.description.input.preparation

    def _predict(self, count: int, batches: Batches) -> Predictions:
        """Return calibrated predictions for `count` inputs, each of which is in one of the batches."""
        logits = np.empty((count, len(self.description.labels)), dtype=np.float32)
        novelty = np.empty(count, dtype=np.float32)
        for indices, inputs in batches:
            logits[indices], novelty[indices] = self.session.run(OUTPUTS, {"inputs": inputs})
        return calibrated(logits, novelty, self.description.calibration)


def calibrated(logits: NDArray[np.float32], novelty: NDArray[np.float32], calibration: Calibration) -> Predictions:
    """Return the predictions of logits `(batch, 10)` and novelty `(batch,)`."""
    ood_scores = (novelty - calibration.ood_median) / (calibration.ood_p95 - calibration.ood_median)
    divisors = calibration.temperature * np.maximum(ood_scores, 1)
    return Predictions(softmax(logits / divisors[:, None]), ood_scores.astype(np.float32))


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return probabilities, float32 `(batch, classes)`."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), dtype=np.float32)


def load(folder: Path, threads: int) -> Model:
    """Open a bundle for inference on the CPU.

    Args:
        folder: the bundle.
        threads: threads per run of the graph.

    Raises:
        BundleError: a file is missing or wrong; the message says how to restore it.
    """
    description, version = describe(folder)
    graph = read_graph(folder, description)
    try:
        opened = session(graph, threads)
    except Exception as error:  # the errors of ONNX Runtime share no base class but this
        raise BundleError(f"{folder / GRAPH} is not a graph that can be run: {error}") from error
    kind = description.input.kind
    inputs = [(node.name, node.type) for node in opened.get_inputs()]
    outputs = tuple(node.name for node in opened.get_outputs())
    if inputs != _INPUTS[kind] or outputs != OUTPUTS:
        described = ", ".join(f"{name} ({type_})" for name, type_ in inputs)
        raise BundleError(
            f"{folder / GRAPH} has the inputs {described} and the outputs {', '.join(outputs)}: it is not a graph "
            f"for {kind}s, as {DESCRIPTION} says. Restore it: {how_to_restore(folder)}"
        )
    if isinstance(description.input, LogprobsInput):
        _check_tokens(folder, opened, len(description.input.recognizer["tokens"]))
    return Model(folder, description, version, opened)


def _check_tokens(folder: Path, opened: Any, tokens: int) -> None:
    """Raise BundleError unless a graph takes the log-probabilities of so many tokens."""
    try:
        opened.run(OUTPUTS, {"inputs": np.zeros((1, tokens), dtype=np.float32)})
    except Exception as error:
        raise BundleError(
            f"{folder / GRAPH} does not take the {tokens} tokens that {DESCRIPTION} lists. Restore it: "
            f"{how_to_restore(folder)}"
        ) from error

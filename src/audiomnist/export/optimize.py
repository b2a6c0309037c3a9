"""Compiling a bundle's graph, and holding the outcome against it."""

import hashlib
import logging
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from rich.progress import track

from audiomnist.audio import waveform
from audiomnist.audio.waveform import Samples
from audiomnist.core import atomic
from audiomnist.corpus import splits
from audiomnist.export import frontend, networks
from audiomnist.export.graph import Graph
from audiomnist.export.weights import CompilationError, Weights
from audiomnist.features.mfcc import FrontEndParams
from audiomnist.serving import batching
from audiomnist.serving.bundle import description as bundle
from audiomnist.serving.bundle.description import Description, WaveformInput
from audiomnist.serving.bundle.session import session

_TOLERANCE = 1e-3
_CALIBRATION_CLIPS = 400

Feeds = list[dict[str, NDArray[Any]]]


def compile_bundle(model: Path, raw: Path, split: Path, out: Path) -> None:
    """Write the bundle that is served; a graph over transcripts is taken as it is.

    Args:
        model: the folder of the trained bundle.
        raw: the folder of recordings; some of the training part say how large the values in the network become.
        split: the CSV that says which clip stands in which part.
        out: the bundle's folder; it appears whole or not at all.

    Raises:
        CompilationError: the graph is not one that training writes, or the compiled one does not answer as it does.
    """
    description, _ = bundle.describe(model)
    graph = bundle.read_graph(model, description)
    if isinstance(description.input, WaveformInput):
        files = [clip.file for clip in splits.read(split) if clip.part == "train"]
        some = files[:: len(files) // _CALIBRATION_CLIPS + 1]
        prepared = [_prepared(raw / file, description.input) for file in track(some, "compile")]
        try:
            graph = compiled(graph, description, description.input, prepared)
        except CompilationError as error:
            raise CompilationError(f"{model}: {error}") from error
    with atomic.replaced_directory(out) as folder:
        (folder / bundle.GRAPH).write_bytes(graph)
        digest = hashlib.sha256(graph).hexdigest()
        bundle.write_description(folder, description.model_copy(update={"graph_sha256": digest}))


def compiled(trained: bytes, description: Description, given: WaveformInput, clips: Sequence[Samples]) -> bytes:
    """Return a graph with the input `inputs`, float32 `(batch, samples)`, and the outputs of the trained one.

    Args:
        trained: the graph of a bundle over sound.
        description: of the bundle.
        given: its input.
        clips: prepared recordings, float32 `(samples,)`, as the network was trained on.

    Raises:
        CompilationError: the graph is not one that training writes; or without rounding the compiled one's outputs
            differ from its own by more than 1e-3 of their magnitude.
    """
    weights, front_end = Weights(trained), _front_end(given)
    batches = batching.batches(clips, front_end.window_samples, front_end.hop_samples)
    feeds = [{"inputs": waveforms} for _, waveforms in batches]
    _check(trained, exact(weights, description, given), feeds)
    return _quantised(_built(weights, description, given, exactly=False), feeds)


def exact(weights: Weights, description: Description, given: WaveformInput) -> bytes:
    """Return the same graph in float32 throughout."""
    graph: bytes = _built(weights, description, given, exactly=True).SerializeToString()
    return graph


def _prepared(path: Path, given: WaveformInput) -> Samples:
    front_end = _front_end(given)
    return waveform.prepare(waveform.read(path), front_end.sample_rate_hz, front_end.trim_db, front_end.max_samples)


def _front_end(given: WaveformInput) -> FrontEndParams:
    return FrontEndParams.model_validate(given.front_end)


def _built(weights: Weights, description: Description, given: WaveformInput, *, exactly: bool) -> onnx.ModelProto:
    if description.model not in networks.PARTS:
        raise CompilationError(f"there is no way to compile a {description.model}")
    kind, body = networks.PARTS[description.model]
    params = kind.model_validate(description.parameters["model"])
    graph, front_end = Graph(), _front_end(given)
    powers = frontend.powers(graph, "inputs", front_end, exactly=exactly)
    bands = frontend.levelled(graph, powers, front_end, params, weights)
    logits, novelty = body(graph, bands, params, weights)
    return graph.model(
        {"inputs": ["batch", "samples"]},
        dict(zip(bundle.OUTPUTS, ((logits, ["batch", len(bundle.LABELS)]), (novelty, ["batch"])), strict=True)),
    )


def _check(trained: bytes, compiled: bytes, feeds: Feeds) -> None:
    one, other = (session(graph, threads=1) for graph in (trained, compiled))
    for feed in feeds:
        batch, samples = feed["inputs"].shape
        expected = one.run(bundle.OUTPUTS, {**feed, "lengths": np.full(batch, samples)})
        for name, actual, wanted in zip(bundle.OUTPUTS, other.run(bundle.OUTPUTS, feed), expected, strict=True):
            difference = float((np.abs(actual - wanted) / np.maximum(1, np.abs(wanted))).max())
            if not difference <= _TOLERANCE:
                raise CompilationError(f"the compiled graph differs from the trained one by {difference:.2g} in {name}")


def _quantised(model: onnx.ModelProto, feeds: Feeds) -> bytes:
    """Return a graph whose inner convolutions are of 8-bit integers: 7 bits of weights, a scale for each filter."""
    inner = networks.inner_convolutions(model.graph)
    if not inner:  # an empty list would stand for all nodes
        return bytes(model.SerializeToString())
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static  # noqa: PLC0415 - slow

    with tempfile.TemporaryDirectory() as folder, _quiet():
        target = Path(folder) / bundle.GRAPH
        quantize_static(
            model,
            target,
            _Reader(feeds),
            quant_format=QuantFormat.QDQ,
            nodes_to_quantize=inner,
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
        return target.read_bytes()


class _Reader:
    """Feeds, one after the other, as the quantiser asks for them."""

    def __init__(self, feeds: Feeds) -> None:
        self._feeds = iter(feeds)

    def get_next(self) -> dict[str, NDArray[Any]] | None:
        return next(self._feeds, None)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep to itself what the quantiser advises, by the root logger: to simplify the graph, which is simple."""
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)

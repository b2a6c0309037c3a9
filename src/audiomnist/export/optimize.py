"""Exporting the graph that is served from a trained network, rounded to 8 bits in part, and checking it.

The exporter is PyTorch's TorchScript-based one: the newer exporter of torch 2.14 refuses GRU cells, fixes
the length of simple ones, and takes minutes for an LSTM.
"""

import hashlib
import logging
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from rich.progress import track
from torch import Tensor, nn

from audiomnist.audio import waveform
from audiomnist.audio.waveform import Samples
from audiomnist.core import atomic
from audiomnist.core.errors import AudiomnistError
from audiomnist.corpus import splits
from audiomnist.features.mfcc import FrontEnd, FrontEndParams
from audiomnist.models.common import checkpoint
from audiomnist.serving import batching
from audiomnist.serving.bundle import description as bundle
from audiomnist.serving.bundle.description import Description, WaveformInput
from audiomnist.serving.bundle.session import session

_OPSET = 17
_TOLERANCE = 1e-3
_CALIBRATION_CLIPS = 400
_FRAMING = {"Pad", "Slice", "Reshape", "Concat", "MatMul"}
_TEXT_LENGTHS = (30, 2, 1)

Batches = Sequence[NDArray[Any]]


class ExportError(AudiomnistError):
    """An exported graph does not give the outputs of its network."""


class WaveformModel(nn.Module):
    """The front end before a network: waveforms `(batch, samples)` of equally many frames in, its outputs out."""

    def __init__(self, front_end: FrontEnd, network: nn.Module) -> None:
        super().__init__()
        self.front_end = front_end
        self.network = network

    def forward(self, waveforms: Tensor) -> Any:
        """Return what the network makes of the waveforms' MFCCs."""
        return self.network(*self.front_end(waveforms))


def export_bundle(trained: Path, raw: Path, split: Path, out: Path) -> None:
    """Write the bundle that is served: `model.onnx` and `bundle.json`.

    Args:
        trained: the folder that training wrote.
        raw: the folder of recordings; some of the training part give the ranges for rounding to 8 bits.
        split: the CSV that says which clip stands in which part.
        out: the bundle's folder; it appears whole or not at all.

    Raises:
        BundleError: `trained` holds no trained model.
        ExportError: before rounding the graph's outputs differ from the network's by more than 1e-3 of their magnitude.
    """
    network, description = checkpoint.load(trained)
    if isinstance(description.input, WaveformInput):
        front_end = FrontEndParams.model_validate(description.input.front_end)
        batches = _waveforms(front_end, raw, split)
        graph = quantized(exported(WaveformModel(FrontEnd(front_end), network), batches), batches)
    else:
        graph = exported(network, _tokens())
    with atomic.replaced_directory(out) as folder:
        (folder / bundle.GRAPH).write_bytes(graph)
        content = description.model_dump() | {"graph_sha256": hashlib.sha256(graph).hexdigest()}
        bundle.write_description(folder, Description.model_validate(content))


def exported(network: nn.Module, batches: Batches) -> bytes:
    """Return a float32 graph with the input `inputs`, of any batch and length, and the network's outputs.

    Args:
        network: takes inputs, returns logits and novelty; put into evaluation mode here.
        batches: inputs that the graph is checked with, float32 or int64 `(batch, steps)`; the first has two clips at
            least.

    Raises:
        ExportError: the outputs differ by more than 1e-3 of their magnitude.
    """
    network.eval()
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        target = Path(folder) / bundle.GRAPH
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network,
            (torch.from_numpy(batches[0]),),
            target,
            input_names=["inputs"],
            output_names=[*bundle.OUTPUTS],
            dynamic_axes={"inputs": {0: "batch", 1: "steps"}, **{name: {0: "batch"} for name in bundle.OUTPUTS}},
            opset_version=_OPSET,
            dynamo=False,
        )
        graph = target.read_bytes()
    _check(network, graph, batches)
    return graph


def _check(network: nn.Module, graph: bytes, batches: Batches) -> None:
    opened = session(graph, threads=1)
    for inputs in batches:
        with torch.inference_mode():
            expected = [output.numpy() for output in network(torch.from_numpy(inputs))]
        for name, actual, exact in zip(bundle.OUTPUTS, opened.run(None, {"inputs": inputs}), expected, strict=True):
            difference = float((np.abs(actual - exact) / np.maximum(1, np.abs(exact))).max())
            if not difference <= _TOLERANCE:
                raise ExportError(f"the exported graph differs from the network by {difference:.2g} in its {name}")


def quantized(graph: bytes, batches: Batches) -> bytes:
    """Return a graph whose Fourier transform and inner convolutions are of 8-bit integers.

    Weights have 7 bits, so that no sum overflows on processors without 8-bit dot products.

    Args:
        graph: takes waveforms.
        batches: inputs that give the ranges of activations.
    """
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static  # noqa: PLC0415 - slow

    model = onnx.load_model_from_string(graph)
    with tempfile.TemporaryDirectory() as folder, _quiet():
        target = Path(folder) / bundle.GRAPH
        quantize_static(
            model,
            target,
            _Reader(batches),
            quant_format=QuantFormat.QDQ,
            nodes_to_quantize=[*_transform(model.graph), *_inner_convolutions(model.graph)],
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            extra_options={"OpTypesToExcludeOutputQuantization": ["MatMul"]},
        )
        return target.read_bytes()


def _transform(graph: Any) -> list[str]:
    """Return the names of the Fourier transform, which is the first matrix product, and of what cuts its frames."""
    kinds = [node.op_type for node in graph.node]
    return [node.name for node in graph.node[: kinds.index("MatMul") + 1] if node.op_type in _FRAMING]


def _inner_convolutions(graph: Any) -> list[str]:
    """Return the names of the convolutions with a kernel over several channels, and of what rectifies their outputs."""
    shapes = {constant.name: constant.dims for constant in graph.initializer}
    inner = [node for node in graph.node if node.op_type == "Conv" and _is_inner(shapes[node.input[1]])]
    outputs = {node.output[0] for node in inner}
    rectified = [node for node in graph.node if node.op_type == "Relu" and node.input[0] in outputs]
    return [node.name for node in (*inner, *rectified)]


def _is_inner(shape: Sequence[int]) -> bool:
    _, channels, rows, _ = shape
    return channels > 1 and rows > 1


class _Reader:
    """Feeds, one after the other, as the quantizer asks for them."""

    def __init__(self, batches: Batches) -> None:
        self._batches = iter(batches)

    def get_next(self) -> dict[str, NDArray[Any]] | None:
        inputs = next(self._batches, None)
        return None if inputs is None else {"inputs": inputs}


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the quantizer's advice, on the root logger, to simplify the graph first."""
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)


def _waveforms(front_end: FrontEndParams, raw: Path, split: Path) -> list[Samples]:
    """Return recordings of the training part, float32 `(batch, samples)` each, the fullest batch first."""
    files = [clip.file for clip in splits.read(split) if clip.subset == "train"]
    some = files[:: len(files) // _CALIBRATION_CLIPS + 1]
    clips = [
        waveform.prepare(
            waveform.read(raw / file), front_end.sample_rate_hz, front_end.trim_top_db, front_end.max_samples
        )
        for file in track(some, "export")
    ]
    batches = [made for _, made in batching.batches(clips, front_end.win_length, front_end.hop_length)]
    return sorted(batches, key=len, reverse=True)


def _tokens() -> list[NDArray[np.int64]]:
    """Return the first token ids forwards and backwards, int64 `(2, tokens)` each."""
    return [np.stack([np.arange(length), np.arange(length)[::-1]]) for length in _TEXT_LENGTHS]

"""Export of a trained network to ONNX: partly quantized to 8 bits, and checked against PyTorch.

The exporter is PyTorch's TorchScript-based one: the newer exporter of torch 2.14 refuses GRU cells, fixes
the length of simple ones, and takes minutes for an LSTM.
"""

import hashlib
import tempfile
from collections.abc import Sequence
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
from audiomnist.core.quiet import quiet
from audiomnist.corpus import splits
from audiomnist.features.front_end import FrontEndParams
from audiomnist.features.mfcc import FrontEnd
from audiomnist.models.common import checkpoint
from audiomnist.serving import batching
from audiomnist.serving.bundle.description import (
    GRAPH,
    OUTPUTS,
    Description,
    LogprobsInput,
    WaveformInput,
    write_description,
)
from audiomnist.serving.bundle.session import session

_TOLERANCE = 1e-3
_CALIBRATION_CLIPS = 400
_FOURIER_OPS = {"Pad", "Slice", "Reshape", "Concat", "MatMul"}


class ExportError(AudiomnistError):
    """An exported graph does not give the outputs of its network."""


class WaveformModel(nn.Module):
    """A network behind its front end: takes waveforms `(batch, samples)` with equal numbers of frames."""

    def __init__(self, front_end: FrontEnd, network: nn.Module) -> None:
        super().__init__()
        self.front_end = front_end
        self.network = network

    def forward(self, waveforms: Tensor) -> Any:
        """Return the network's outputs for the waveforms' MFCCs."""
        return self.network(*self.front_end(waveforms))


def export_bundle(trained: Path, raw: Path, split: Path, out: Path) -> None:
    """Write the bundle that is served, `model.onnx` and `bundle.json`, from the folder that training wrote.

    Recordings in `raw` that are training clips of the CSV `split` calibrate the quantization.

    Raises:
        BundleError: `trained` holds no trained model.
        ExportError: the float32 graph's outputs differ from the network's by more than 1e-3 of their magnitude.
    """
    network, description = checkpoint.load(trained)
    if isinstance(description.input, WaveformInput):
        params = FrontEndParams.model_validate(description.input.front_end)
        batches = _waveforms(params, raw, split)
        graph = quantized(exported(WaveformModel(FrontEnd(params), network), batches), batches)
    elif isinstance(description.input, LogprobsInput):
        # Log-probabilities, float32 `(2, tokens)`.
        tokens = len(description.input.recognizer["tokens"])
        graph = exported(network, [np.linspace(-20, 0, 2 * tokens, dtype=np.float32).reshape(2, tokens)])
    else:
        # Token ids forwards and backwards, int64 `(2, tokens)`.
        graph = exported(network, [np.stack([np.arange(size), np.arange(size)[::-1]]) for size in (30, 2, 1)])
    with atomic.replaced_directory(out) as folder:
        (folder / GRAPH).write_bytes(graph)
        sha256 = hashlib.sha256(graph).hexdigest()
        write_description(folder, Description(**description.model_dump(), graph_sha256=sha256))


def exported(network: nn.Module, batches: Sequence[NDArray[Any]]) -> bytes:
    """Return a float32 graph with the input `inputs`, of any batch size and length, and the network's outputs.

    Args:
        network: takes inputs, returns logits and novelty; put into evaluation mode here.
        batches: inputs to check the graph with, float32 or int64 `(batch, steps)`, at least two clips in the first.

    Raises:
        ExportError: the outputs differ by more than 1e-3 of their magnitude.
    """
    network.eval()
    with tempfile.TemporaryDirectory() as folder, quiet():
        target = Path(folder) / GRAPH
        torch.onnx.export(
            network,
            (torch.from_numpy(batches[0]),),
            target,
            input_names=["inputs"],
            output_names=list(OUTPUTS),
            dynamic_axes={"inputs": {0: "batch", 1: "steps"}, **{name: {0: "batch"} for name in OUTPUTS}},
            opset_version=17,
            dynamo=False,
        )
        graph = target.read_bytes()
    _check(network, graph, batches)
    return graph


def _check(network: nn.Module, graph: bytes, batches: Sequence[NDArray[Any]]) -> None:
    opened = session(graph, threads=1)
    for inputs in batches:
        with torch.inference_mode():
            expected = [output.numpy() for output in network(torch.from_numpy(inputs))]
        for name, actual, exact in zip(OUTPUTS, opened.run(None, {"inputs": inputs}), expected, strict=True):
            difference = float((np.abs(actual - exact) / np.maximum(1, np.abs(exact))).max())
            if not difference <= _TOLERANCE:
                raise ExportError(f"the exported graph differs from the network by {difference:.2g} in its {name}")


def quantized(graph: bytes, batches: Sequence[NDArray[Any]]) -> bytes:
    """Return a graph with its Fourier transform and inner convolutions in 8-bit integers.

    Weights have 7 bits, so that no sum overflows on processors without 8-bit dot products. The waveforms in `batches`
    calibrate the ranges of the activations.
    """
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static  # noqa: PLC0415 - slow

    model = onnx.load_model_from_string(graph)
    with tempfile.TemporaryDirectory() as folder, quiet():
        target = Path(folder) / GRAPH
        quantize_static(
            model,
            target,
            _CalibrationReader(batches),
            quant_format=QuantFormat.QDQ,
            nodes_to_quantize=_nodes_to_quantize(model.graph),
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            extra_options={"OpTypesToExcludeOutputQuantization": ["MatMul"]},
        )
        return target.read_bytes()


def _nodes_to_quantize(graph: Any) -> list[str]:
    """Return the names of the Fourier transform's nodes and of the inner convolutions with their ReLUs.

    The transform is the first matrix product and the framing before it; inner convolutions have kernels of several
    rows over several channels.
    """
    first_product = [node.op_type for node in graph.node].index("MatMul")
    fourier = [node for node in graph.node[: first_product + 1] if node.op_type in _FOURIER_OPS]
    shapes = {constant.name: constant.dims for constant in graph.initializer}
    inner = [node for node in graph.node if node.op_type == "Conv" and min(shapes[node.input[1]][1:3]) > 1]
    outputs = {node.output[0] for node in inner}
    relus = [node for node in graph.node if node.op_type == "Relu" and node.input[0] in outputs]
    return [node.name for node in (*fourier, *inner, *relus)]


class _CalibrationReader:
    """Feeds for the quantizer, one per call."""

    def __init__(self, batches: Sequence[NDArray[Any]]) -> None:
        self._feeds = iter([{"inputs": batch} for batch in batches])

    def get_next(self) -> dict[str, NDArray[Any]] | None:
        return next(self._feeds, None)


def _waveforms(params: FrontEndParams, raw: Path, split: Path) -> list[Samples]:
    """Return batches of training recordings, float32 `(batch, samples)` each, the largest batch first."""
    files = [clip.file for clip in splits.read(split) if clip.subset == "train"]
    step = len(files) // _CALIBRATION_CLIPS + 1
    recordings = [waveform.read(raw / file) for file in track(files[::step], "export")]
    clips = [
        waveform.prepare(clip, params.sample_rate_hz, params.trim_top_db, params.max_samples) for clip in recordings
    ]
    batches = [samples for _, samples in batching.batches(clips, params.win_length, params.hop_length)]
    return sorted(batches, key=len, reverse=True)

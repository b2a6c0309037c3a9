"""The nodes from levelled bands to logits and novelty, for each network over sound."""

from collections.abc import Callable
from typing import Any

import numpy as np
from onnx import TensorProto

from audiomnist.export.graph import Graph, Value
from audiomnist.export.weights import Weights
from audiomnist.models.cnn import CnnParams
from audiomnist.models.common.conv import ConvolutionsParams
from audiomnist.models.common.spectrogram import SpectrumParams
from audiomnist.models.rnn import RnnParams

_NETWORK = "/network"
_DISTANCE = "network.distance"

Body = Callable[[Graph, Value, Any, Weights], tuple[Value, Value]]


def cnn(graph: Graph, bands: Value, params: CnnParams, weights: Weights) -> tuple[Value, Value]:
    """Add the convolutional network: logits and novelty of bands `(batch, frames, bands)`."""
    image = _convolved(graph, bands, params, params.halve, weights, f"{_NETWORK}/layers")
    return _judged(graph, _pooled(graph, image, axis=3), weights, f"{_NETWORK}/classify/classify.1/Gemm")


def rnn(graph: Graph, bands: Value, params: RnnParams, weights: Weights) -> tuple[Value, Value]:
    """Add the recurrent network: logits and novelty of bands `(batch, frames, bands)`."""
    sequence = graph.add("Transpose", bands, perm=[1, 0, 2])  # (steps, batch, features)
    if params.channels:
        image = _convolved(graph, bands, params, "stride", weights, f"{_NETWORK}/convolutions")
        steps = graph.add("Transpose", image, perm=[3, 0, 1, 2])  # (steps, batch, channels, rows)
        sequence = graph.add("Reshape", steps, np.array([0, 0, -1]))
    for layer, units in enumerate(params.units):
        sequence = _recurrent(graph, sequence, units, weights, layer)
    return _judged(graph, _pooled(graph, sequence, axis=0), weights, f"{_NETWORK}/classify/Gemm")


# The parameters of each network over sound, and its nodes.
PARTS: dict[str, tuple[type[SpectrumParams], Body]] = {"cnn": (CnnParams, cnn), "rnn": (RnnParams, rnn)}


def inner_convolutions(graph: Any) -> list[str]:
    """Return the names of all convolutions over images but the first, and of what rectifies their outputs."""
    within = {node.name for node in graph.node if node.name.startswith(_NETWORK) and "/layers.0/" not in node.name}
    return [
        node.name for node in graph.node if node.name in within or (node.op_type == "Relu" and node.input[0] in within)
    ]


def _convolved(
    graph: Graph, bands: Value, params: ConvolutionsParams, halve: str, weights: Weights, where: str
) -> Value:
    """Add layers and residual blocks: an image `(batch, channels, rows, steps)` of bands."""
    image = graph.add("Unsqueeze", graph.add("Transpose", bands, perm=[0, 2, 1]), np.array([1]))
    strides = [2, 2] if halve == "stride" else [1, 1]
    pads = [(params.kernel - 1) // 2] * 2 + [params.kernel // 2] * 2
    for layer, blocks in enumerate(params.blocks):
        node = f"{where}/layers.{layer}/convolve/Conv"
        image = graph.add("Relu", _convolution(graph, image, weights, node, pads=pads, strides=strides))
        if halve == "max":
            image = graph.add("MaxPool", image, kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1)
        for block in range(blocks):
            image = _residual(graph, image, weights, f"{where}/blocks.{layer}.{block}")
    return image


def _convolution(graph: Graph, image: Value, weights: Weights, node: str, **how: list[int]) -> Value:
    return graph.add("Conv", image, *weights.of(node), name=node, **how)


def _residual(graph: Graph, image: Value, weights: Weights, where: str) -> Value:
    activated = graph.add("Relu", _convolution(graph, image, weights, f"{where}/first/Conv", pads=[1] * 4))
    changed = _convolution(graph, activated, weights, f"{where}/second/Conv", pads=[1] * 4)
    gains = graph.add("GlobalAveragePool", changed)
    for layer, function in ((0, "Relu"), (2, "Sigmoid")):
        matrix, bias = weights.of(f"{where}/weigh/weigh.{layer}/Gemm")
        gains = graph.add(function, graph.add("Conv", gains, matrix[:, :, None, None], bias))
    return graph.add("Relu", graph.add("Add", image, graph.add("Mul", changed, gains)))


def _recurrent(graph: Graph, sequence: Value, units: int, weights: Weights, layer: int) -> Value:
    """Add a bidirectional layer: `(steps, batch, 2 * units)` of a sequence `(steps, batch, features)`."""
    kind = next(kind for kind in ("GRU", "LSTM", "RNN") if weights.has(f"{_NETWORK}/recurrent/forwards.{layer}/{kind}"))
    ahead, back = (weights.of(f"{_NETWORK}/recurrent/{way}.{layer}/{kind}") for way in ("forwards", "backwards"))
    both = [np.concatenate(pair) for pair in zip(ahead, back, strict=True)]
    how: dict[str, Any] = {"hidden_size": units, "direction": "bidirectional"}
    if kind == "GRU":
        how["linear_before_reset"] = 1  # as PyTorch's has it
    states = graph.add(kind, sequence, *both, **how)
    beside = graph.add("Transpose", states, perm=[0, 2, 1, 3])  # (steps, batch, 2, units)
    return graph.add("Reshape", beside, np.array([0, 0, -1]))


def _pooled(graph: Graph, values: Value, axis: int) -> Value:
    """Add mean and maximum over the axis of the steps: `(batch, 2 * features)`."""
    steps = graph.add("Cast", graph.size(values, axis), to=TensorProto.FLOAT)
    mean = graph.add("Div", graph.add("ReduceSum", values, np.array([axis]), keepdims=0), steps)
    highest = graph.add("ReduceMax", values, axes=[axis], keepdims=0)
    return graph.add("Concat", graph.add("Flatten", mean), graph.add("Flatten", highest), axis=1)


def _judged(graph: Graph, features: Value, weights: Weights, classify: str) -> tuple[Value, Value]:
    """Add what gives logits `(batch, 10)` and novelty `(batch,)` of features, as `audiomnist.training.ood` has them."""
    logits = graph.add("Gemm", features, *weights.of(classify), transB=1)
    energy = graph.add("Neg", graph.add("ReduceLogSumExp", logits, axes=[1]))
    parts = graph.add("Concat", _distance(graph, features, weights), energy, axis=1)
    centred = graph.add("Sub", parts, weights.named("network.centre"))
    scaled = graph.add("Div", centred, weights.named("network.spread"))
    return logits, graph.add("ReduceSum", scaled, np.array([1]), keepdims=0)


def _distance(graph: Graph, features: Value, weights: Weights) -> Value:
    """Add the distance from the nearest digit, `(batch, 1)`.

    Of features f (scaled) and a digit's mean m it is (f - m)' (a I + B G B') (f - m), with the gain a of most
    directions and the gains G of some others B. Multiplied out, one term is the same for all digits, and one linear.
    Both f and m are counted from the centre of all means, lest small distances be differences of large numbers.
    """
    scale, basis, gains, gain = (
        weights.named(f"{_DISTANCE}.{name}").astype(np.float64) for name in ("scale", "basis", "gains", "other_gain")
    )
    means = weights.of(f"{_NETWORK}/distance/Sub")[0][0].astype(np.float64)  # (digits, features)
    centre = means.mean(axis=0)
    means = means - centre
    products = gain * means + (means @ basis * gains) @ basis.T
    constants = (means * products).sum(axis=1)
    scaled = graph.add("Sub", graph.add("Div", features, scale[None]), centre[None])
    inside = graph.add("MatMul", scaled, basis)
    own = graph.add(
        "Add",
        graph.add("ReduceSumSquare", graph.add("Mul", scaled, np.sqrt(gain)), axes=[1]),
        graph.add("MatMul", graph.add("Mul", inside, inside), gains[:, None]),
    )
    squared = graph.add("Add", graph.add("Gemm", scaled, -2 * products.T, constants), own)
    return graph.add("Sqrt", graph.add("ReduceMin", graph.add("Max", squared, np.float32(0)), axes=[1]))

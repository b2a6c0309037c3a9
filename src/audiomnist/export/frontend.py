"""The nodes from waveforms to what a network sees of them: mel bands, levelled and scaled."""

import math

import numpy as np
from onnx import TensorProto

from audiomnist.export.graph import Graph, Value
from audiomnist.export.weights import Weights
from audiomnist.features.mfcc import FrontEnd, FrontEndParams
from audiomnist.models.common.spectrogram import SpectrumParams

_DB_PER_NEPER = 10 / math.log(10)
_LEAST_PEAK = 1e-5
# Steps of 8 bits from 0 to a clip's peak, and to 1 in the cosines: a product of two pairs of them fits in 16 bits,
# in which processors without 8-bit dot products add them up.
_SAMPLE_STEPS, _SILENCE = 127, np.uint8(128)
_COSINE_STEPS = 63


def powers(graph: Graph, waveforms: Value, params: FrontEndParams, *, exactly: bool) -> Value:
    """Add what gives mel powers `(batch, frames, mel_bands)` of waveforms `(batch, samples)`, each scaled to peak 1.

    Args:
        graph: to be added to.
        waveforms: of equally many frames; `samples` may be more than these take, by less than a hop.
        params: of the front end.
        exactly: in float32; else samples and cosines are rounded to 8 bits, 40 dB and more below what is added up.
    """
    front_end = FrontEnd(params)
    mel = front_end.mel.numpy().astype(np.float64)
    used = mel.any(axis=1)  # what no band takes need not be computed
    cosines, weights = front_end.fourier.numpy()[used].T, mel[used]  # (window_samples, rows), (rows, mel_bands)
    peaks = graph.add("Max", graph.add("ReduceMax", graph.add("Abs", waveforms), axes=[1]), np.float32(_LEAST_PEAK))
    scaled = graph.add("Div", waveforms, peaks)
    if exactly:
        spectrum = graph.add("MatMul", _frames(graph, scaled, params, np.float32(0)), cosines)
    else:
        samples = graph.add("QuantizeLinear", scaled, np.float32(1 / _SAMPLE_STEPS), _SILENCE)
        rounded = np.rint(cosines * _COSINE_STEPS).astype(np.int8)
        product = graph.add("MatMulInteger", _frames(graph, samples, params, _SILENCE), rounded, _SILENCE, np.int8(0))
        spectrum = graph.add("Cast", product, to=TensorProto.FLOAT)
        weights = weights / (_SAMPLE_STEPS * _COSINE_STEPS) ** 2
    return graph.add("MatMul", graph.add("Mul", spectrum, spectrum), weights)


def levelled(graph: Graph, powers: Value, params: FrontEndParams, network: SpectrumParams, weights: Weights) -> Value:
    """Add what gives bands `(batch, frames, mel_bands)` of mel powers, as `models.common.spectrogram` has them."""
    logarithms = graph.add("Log", graph.add("Max", powers, np.float32(params.power_floor)))
    prefix = "network.network.spectrum"
    there_and_back = weights.named(f"{prefix}.to_bands") @ weights.named("front_end.dct")
    if not np.allclose(there_and_back, np.eye(len(there_and_back)), atol=1e-5):
        logarithms = graph.add("MatMul", logarithms, there_and_back.T)
    floor = graph.add(
        "Sub", graph.add("ReduceMax", logarithms, axes=[1, 2]), np.float32(network.range_db / _DB_PER_NEPER)
    )
    raised = graph.add("Max", logarithms, floor)
    mean, deviation = (weights.named(f"{prefix}.{name}").reshape(1, 1, -1) for name in ("mean", "deviation"))
    scale = _DB_PER_NEPER / deviation
    removed = graph.add("Mul", graph.add("ReduceMean", raised, axes=[1]), network.mean_removed * scale)
    offset = graph.add("Add", removed, mean / deviation)
    return graph.add("Sub", graph.add("Mul", raised, scale), offset)


def _frames(graph: Graph, samples: Value, params: FrontEndParams, silence: np.generic) -> Value:
    """Add what cuts samples `(batch, samples)` into overlapping frames `(batch, frames, window_samples)`."""
    hop, window = params.hop_samples, params.window_samples
    hops = -(-window // hop)
    beyond = graph.add("Sub", graph.size(samples, 1), np.array([window]))
    frames = graph.add("Add", graph.add("Div", beyond, np.array([hop])), np.array([1]))
    needed = graph.add("Mul", graph.add("Add", frames, np.array([hops - 1])), np.array([hop]))
    padded = graph.add("Pad", samples, np.array([0, 0, 0, hop]), silence)
    whole = graph.add("Slice", padded, np.array([0]), needed, np.array([1]))
    pieces = graph.add("Reshape", whole, np.array([0, -1, hop]))  # (batch, frames + hops - 1, hop)
    parts = []
    for shift in range(hops):
        last = graph.add("Add", frames, np.array([shift]))
        part = graph.add("Slice", pieces, np.array([shift]), last, np.array([1]))
        left = min(hop, window - shift * hop)
        parts.append(part if left == hop else graph.add("Slice", part, np.array([0]), np.array([left]), np.array([2])))
    return graph.add("Concat", *parts, axis=2)

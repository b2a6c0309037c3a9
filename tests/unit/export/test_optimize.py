"""Compilation: the graph that is served answers as the trained one, whatever the parameters, alone and in company."""

import hashlib
import re
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import small_bundles
from numpy.typing import NDArray

from audiomnist.audio.waveform import Samples
from audiomnist.export import networks, optimize
from audiomnist.export.graph import Graph
from audiomnist.export.weights import CompilationError, Weights
from audiomnist.serving import model as inference
from audiomnist.serving.bundle import description as bundle
from audiomnist.serving.bundle.description import BundleError, WaveformInput
from audiomnist.serving.bundle.session import session
from audiomnist.serving.model import Model

# In samples: shorter than a window of 200, one window, a hop more less one sample, and so on up to the longest.
LENGTHS = (80, 200, 279, 280, 281, 800, 1999, 2000, 4000, 4079, 8000)
VARIANTS: list[tuple[str, dict[str, Any]]] = [
    ("cnn", {}),
    ("cnn", {"channels": (4, 8, 6), "blocks": (2, 0, 1), "kernel": 5}),
    ("cnn", {"kernel": 4}),
    ("cnn", {"halve": "max", "kernel": 2}),
    ("cnn", {"halve": "max"}),
    ("cnn", {"range_db": 25.0, "mean_removed": 0.0}),
    ("cnn", {"features": {"coefficients": 13}}),
    ("cnn", {"features": {"window_samples": 256, "hop_samples": 64, "mel_bands": 24, "coefficients": 24}}),
    ("cnn", {"features": {"window_samples": 100, "hop_samples": 130}}),
    ("rnn", {}),
    ("rnn", {"channels": (), "blocks": ()}),
    ("rnn", {"cell": "lstm", "units": (6, 5)}),
    ("rnn", {"cell": "simple"}),
]


def noises(lengths: tuple[int, ...] = LENGTHS, seed: int = 0) -> list[Samples]:
    """Return noise that grows and fades, of so many samples each."""
    draw = np.random.default_rng(seed)
    return [
        (draw.normal(0, 0.2, length) * np.sin(np.linspace(0.1, 3, length))).astype(np.float32) for length in lengths
    ]


def answers(model: Model, clips: list[Samples]) -> NDArray[np.float32]:
    """Return probabilities and, in the last column, `ood_score`."""
    predictions = model.predict_waveforms(clips)
    return np.column_stack([predictions.probabilities, predictions.ood_scores])


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Path]]:
    """Write a trained and a compiled bundle of each network over sound."""
    found = {}
    for model in ("cnn", "rnn"):
        folder = tmp_path_factory.mktemp(model)
        found[model] = small_bundles.compiled(model, folder / "made"), folder / "made" / "served"
    return {model: (trained, compiled) for model, (compiled, trained) in found.items()}


@pytest.mark.parametrize(("model", "changes"), VARIANTS)
def test_without_rounding_the_compiled_graph_answers_as_the_trained_one(
    tmp_path: Path, model: str, changes: dict[str, Any]
) -> None:
    """For clips of every length: frames are cut, bands levelled, convolved, pooled and judged in the same way."""
    folder = small_bundles.write(model, tmp_path / model, **changes)
    description, _ = bundle.describe(folder)
    given = description.input
    assert isinstance(given, WaveformInput)
    trained = bundle.read_graph(folder, description)
    exact = optimize.exact(Weights(trained), description, given)
    (folder / bundle.GRAPH).write_bytes(exact)
    digest = hashlib.sha256(exact).hexdigest()
    bundle.write_description(folder, description.model_copy(update={"graph_sha256": digest}))
    compiled = inference.load(folder, threads=1)
    assert compiled.is_compiled
    (folder / bundle.GRAPH).write_bytes(trained)
    bundle.write_description(folder, description)
    np.testing.assert_allclose(answers(compiled, noises()), answers(inference.load(folder, 1), noises()), atol=1e-3)


@pytest.mark.parametrize("model", ["cnn", "rnn"])
def test_rounding_costs_little(bundles: dict[str, tuple[Path, Path]], model: str) -> None:
    """Most labels of noise, on which nothing was trained, stay as they are, and most of the probability."""
    trained, compiled = (inference.load(folder, threads=1) for folder in bundles[model])
    clips = noises(LENGTHS[3:] * 20)
    one, other = answers(trained, clips)[:, :-1], answers(compiled, clips)[:, :-1]
    assert (one.argmax(axis=1) == other.argmax(axis=1)).mean() > 0.9
    assert np.abs(one - other).mean() < 0.02


@pytest.mark.parametrize("model", ["cnn", "rnn"])
def test_inner_convolutions_are_of_integers(bundles: dict[str, tuple[Path, Path]], model: str) -> None:
    """And the Fourier transform; a graph that is rounded in name only would be no faster."""
    graph = onnx.load(bundles[model][1] / bundle.GRAPH).graph
    integers = {constant.name for constant in graph.initializer if constant.data_type == onnx.TensorProto.INT8}
    kernels = {node.input[1] for node in graph.node if node.op_type == "Conv" and "convolve" in node.name}
    rounded = {
        node.output[0] for node in graph.node if node.op_type == "DequantizeLinear" and node.input[0] in integers
    }
    assert len(kernels - rounded) == 1
    assert [node.input[1] in integers for node in graph.node if node.op_type == "MatMulInteger"] == [True]


@pytest.mark.parametrize("model", ["cnn", "rnn"])
@pytest.mark.parametrize("which", ["trained", "compiled"])
def test_a_clip_has_the_same_answer_in_any_company_and_order(
    bundles: dict[str, tuple[Path, Path]], model: str, which: str
) -> None:
    """One at a time, all in one go, and in another order; more than a batch of one length among them."""
    opened = inference.load(bundles[model][which == "compiled"], threads=1)
    clips = noises(LENGTHS + (1200,) * 150)
    together = answers(opened, clips)
    alone = np.concatenate([answers(opened, [clip]) for clip in clips])
    order = np.random.default_rng(1).permutation(len(clips))
    shuffled = answers(opened, [clips[place] for place in order])
    np.testing.assert_allclose(alone, together, rtol=0, atol=1e-4)
    np.testing.assert_allclose(shuffled, together[order], rtol=0, atol=1e-4)
    assert (alone[:, :-1].argmax(axis=1) == together[:, :-1].argmax(axis=1)).all()


class Recorder:
    """A session that notes how many clips of how many samples it is given."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self.shapes: list[tuple[int, int]] = []

    def get_inputs(self) -> Any:
        """Return what the session takes."""
        return self._session.get_inputs()

    def run(self, names: list[str], feeds: dict[str, NDArray[Any]]) -> Any:
        """Pass a batch on."""
        self.shapes.append(feeds["inputs"].shape)
        return self._session.run(names, feeds)


@pytest.mark.parametrize(("which", "padding"), [("trained", 0.05), ("compiled", 0.02)])
def test_batches_are_small_and_hardly_padded(bundles: dict[str, tuple[Path, Path]], which: str, padding: float) -> None:
    """At most 64 clips, so that memory is bounded; for the compiled graph all of one number of frames."""
    opened = inference.load(bundles["cnn"][which == "compiled"], threads=1)
    recorder = Recorder(opened.session)
    lengths = tuple(np.random.default_rng(0).integers(800, 8001, 1000).tolist())
    clips = noises(lengths + (8000,) * 100)
    Model(opened.description, opened.version, recorder).predict_waveforms(clips)
    assert sum(batch for batch, _ in recorder.shapes) == len(clips)
    assert max(batch for batch, _ in recorder.shapes) == 64
    assert sum(batch * samples for batch, samples in recorder.shapes) < (1 + padding) * sum(map(len, clips))


def test_no_clips_have_no_answers(bundles: dict[str, tuple[Path, Path]]) -> None:
    """And it is no error to ask."""
    for folder in bundles["cnn"]:
        assert len(inference.load(folder, threads=1).predict_waveforms([]).probabilities) == 0


def test_a_graph_over_transcripts_is_served_as_it_was_trained(tmp_path: Path) -> None:
    """Byte for byte, with its description."""
    compiled = small_bundles.compiled("lstm", tmp_path / "lstm")
    for name in (bundle.GRAPH, bundle.DESCRIPTION):
        assert (compiled / name).read_bytes() == (tmp_path / "lstm" / "served" / name).read_bytes()


def test_a_compiled_bundle_says_what_the_trained_one_does(bundles: dict[str, tuple[Path, Path]]) -> None:
    """But for the SHA-256 of its graph."""
    trained, compiled = (bundle.describe(folder)[0] for folder in bundles["cnn"])
    assert compiled == trained.model_copy(update={"graph_sha256": compiled.graph_sha256})
    assert compiled.graph_sha256 != trained.graph_sha256


def test_compiling_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    """So that a stage that is run again changes nothing."""
    one, other = (small_bundles.compiled("cnn", tmp_path / name) for name in ("one", "other"))
    assert (one / bundle.GRAPH).read_bytes() == (other / bundle.GRAPH).read_bytes()


class Given(Weights):
    """Weights that are given, as the parts of a distance name them."""

    def __init__(self, means: NDArray[np.float64], **named: NDArray[np.float64]) -> None:
        self._means, self._named = means, named

    def named(self, name: str) -> NDArray[np.float32]:
        """Return what was given."""
        return np.asarray(self._named[name.removeprefix("network.distance.")], dtype=np.float32)

    def of(self, node: str) -> list[NDArray[np.float32]]:
        """Return the means."""
        assert node == "/network/distance/Sub"
        return [np.asarray(self._means[None], dtype=np.float32)]


def test_small_distances_between_large_features_do_not_drown_in_rounding() -> None:
    """They are multiplied out, so that a distance of 1 would be the difference of squares of thousands."""
    draw = np.random.default_rng(0)
    features, directions = 64, 5
    means = (300 + draw.normal(size=(10, features))).astype(np.float32).astype(np.float64)
    basis = np.linalg.qr(draw.normal(size=(features, directions)))[0].astype(np.float32).astype(np.float64)
    gains, gain = draw.uniform(1, 5, directions).astype(np.float32).astype(np.float64), np.array(0.5)
    asked = (means + 0.1 * draw.normal(size=means.shape)).astype(np.float32)
    weights = Given(means, scale=np.ones(features), basis=basis, gains=gains, other_gain=gain)
    graph = Graph()
    distance = networks._distance(graph, "features", weights)  # noqa: SLF001 - rounding shows in no answer as a whole
    model = graph.model({"features": ["batch", features]}, {"distance": (distance, ["batch", 1])})
    (found,) = session(model.SerializeToString(), threads=1).run(["distance"], {"features": asked})
    apart = asked.astype(np.float64)[:, None] - means
    squared = gain * (apart**2).sum(axis=2) + (((apart @ basis) ** 2) * gains).sum(axis=2)
    np.testing.assert_allclose(found[:, 0], np.sqrt(squared.min(axis=1)), rtol=1e-3)


def test_a_graph_that_training_does_not_write_is_refused(tmp_path: Path, bundles: dict[str, tuple[Path, Path]]) -> None:
    """One that was compiled before, and one that answers otherwise than its description makes believe."""
    trained, compiled = bundles["cnn"]
    split = trained.parent / "split.csv"
    raw = trained.parent / "inputs" / "raw"
    refused = rf"^{re.escape(str(compiled))}: the trained graph has no constant network"
    with pytest.raises(CompilationError, match=refused):
        optimize.compile_bundle(compiled, raw, split, tmp_path / "twice")
    description, _ = bundle.describe(trained)
    other = tmp_path / "other"
    other.mkdir()
    (other / bundle.GRAPH).write_bytes((trained / bundle.GRAPH).read_bytes())
    parameters = {"model": description.parameters["model"] | {"range_db": 20.0}}
    bundle.write_description(other, description.model_copy(update={"parameters": parameters}))
    with pytest.raises(CompilationError, match="differs from the trained one"):
        optimize.compile_bundle(other, raw, split, tmp_path / "wrong")
    assert not (tmp_path / "wrong").exists()
    assert not (tmp_path / "twice").exists()


def test_a_bundle_whose_graph_takes_something_else_is_not_opened(tmp_path: Path) -> None:
    """The error names what it takes, and what it was said to be."""
    texts, sounds = small_bundles.write("lstm", tmp_path / "texts"), small_bundles.write("cnn", tmp_path / "sounds")
    graph = (texts / bundle.GRAPH).read_bytes()
    (sounds / bundle.GRAPH).write_bytes(graph)
    description, _ = bundle.describe(sounds)
    digest = hashlib.sha256(graph).hexdigest()
    bundle.write_description(sounds, description.model_copy(update={"graph_sha256": digest}))
    with pytest.raises(BundleError, match=r"takes inputs \(tensor\(int64\)\), lengths .*: no graph over waveforms"):
        inference.load(sounds, threads=1)

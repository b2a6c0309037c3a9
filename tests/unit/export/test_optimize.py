"""The graph that is served: it answers as the trained network, whatever the parameters, rounded or not."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import small_bundles
import torch
from numpy.typing import NDArray
from torch import Tensor

from audiomnist.audio import waveform
from audiomnist.audio.waveform import Samples
from audiomnist.export.optimize import WaveformModel, exported
from audiomnist.features.front_end import FrontEndParams
from audiomnist.features.mfcc import FrontEnd
from audiomnist.models.common import checkpoint
from audiomnist.serving import batching
from audiomnist.serving import model as inference
from audiomnist.serving.bundle import description as bundle
from audiomnist.serving.bundle.description import BundleError, WaveformInput
from audiomnist.serving.bundle.session import session
from audiomnist.serving.model import Model

# In samples: shorter than a window of 200, one window, a hop more less one sample, and so on up to the longest.
LENGTHS = (80, 200, 279, 280, 281, 800, 1999, 2000, 4000, 4079, 8000)
VARIANTS: list[tuple[str, dict[str, Any]]] = [
    ("cnn", {}),
    ("cnn", {"channels": (4, 8, 6), "residual_blocks": (2, 0, 1), "kernel_size": 5}),
    ("cnn", {"kernel_size": 4}),
    ("cnn", {"downsampling": "max_pool", "kernel_size": 2}),
    ("cnn", {"downsampling": "max_pool"}),
    ("cnn", {"top_db": 25.0, "cmn_strength": 0.0}),
    ("cnn", {"features": {"n_mfcc": 13}}),
    ("cnn", {"features": {"win_length": 256, "hop_length": 64, "n_mels": 24, "n_mfcc": 24}}),
    ("cnn", {"features": {"win_length": 100, "hop_length": 130}}),
    ("rnn", {}),
    ("rnn", {"channels": (), "residual_blocks": ()}),
    ("rnn", {"cell": "lstm", "hidden_sizes": (6, 5)}),
    ("rnn", {"cell": "rnn"}),
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


@pytest.fixture(scope="module", params=["cnn", "rnn"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write weights (`trained`) and bundle (`served`) of each network over sound."""
    made = tmp_path_factory.mktemp(request.param)
    small_bundles.write(request.param, made / "made")
    return made / "made"


def network_and_front_end(trained: Path) -> tuple[torch.nn.Module, FrontEndParams]:
    """Return the network that was trained, and the front end before it."""
    network, description = checkpoint.load(trained)
    assert isinstance(description.input, WaveformInput)
    return network, FrontEndParams.model_validate(description.input.front_end)


@pytest.mark.parametrize(
    ("model", "changes"),
    [*VARIANTS[::3], *(pytest.param(*each, marks=pytest.mark.long) for each in VARIANTS if each not in VARIANTS[::3])],
)
def test_without_rounding_the_graph_answers_as_the_network_does_with_masks(
    tmp_path: Path, model: str, changes: dict[str, Any]
) -> None:
    """For clips of every length, padded in one batch in PyTorch, and in batches of equal ones in the graph."""
    small_bundles.write(model, tmp_path / model, **changes)
    network, params = network_and_front_end(tmp_path / model / "trained")
    clips = noises()
    waveforms, lengths = waveform.pad(clips, at_least=params.win_length)
    with torch.inference_mode():
        expected = network(*FrontEnd(params)(torch.from_numpy(waveforms), torch.from_numpy(lengths)))
    batches = [*batching.batches(clips, params.win_length, params.hop_length)]
    example = np.random.default_rng(0).normal(0, 0.1, (2, 3000)).astype(np.float32)
    opened = session(exported(WaveformModel(FrontEnd(params), network), [example]), threads=1)
    for places, waveforms in batches:
        for found, wanted in zip(opened.run(None, {"inputs": waveforms}), expected, strict=True):
            torch.testing.assert_close(torch.from_numpy(found), wanted[places], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("model", ["cnn", "rnn"])
def test_rounding_changes_next_to_no_label(model: str, toy: Path, trained: Path, served: Path) -> None:
    """Of the recordings that a trained network knows."""
    network, params = network_and_front_end(trained / model)
    opened = inference.load(served / model, threads=1)
    clips = [opened.prepare(waveform.read(path)) for path in sorted((toy / "raw").iterdir())]
    waveforms, lengths = waveform.pad(clips, at_least=params.win_length)
    with torch.inference_mode():
        logits: Tensor = network(*FrontEnd(params)(torch.from_numpy(waveforms), torch.from_numpy(lengths)))[0]
    found = opened.predict_waveforms(clips).probabilities.argmax(axis=1)
    assert (found == logits.argmax(dim=1).numpy()).mean() > 0.97


def test_inner_convolutions_and_the_transform_are_of_integers(folder: Path) -> None:
    """The transform is the only matrix product that is; the first convolution, over one channel, is not."""
    graph = onnx.load(folder / "served" / bundle.GRAPH).graph
    integers = {tensor.name: tensor.dims for tensor in graph.initializer if tensor.data_type == onnx.TensorProto.INT8}
    rounded = {
        node.output[0]: integers[node.input[0]]
        for node in graph.node
        if node.op_type == "DequantizeLinear" and node.input[0] in integers
    }
    first, *inner = (node.input[1] for node in graph.node if node.op_type == "Conv" and "excite" not in node.name)
    assert first not in rounded
    assert set(inner) <= rounded.keys()
    products = [node.input[1] for node in graph.node if node.op_type == "MatMul"]
    assert [rounded[weights] for weights in products if weights in rounded] == [[200, 258]]


def test_a_clip_has_the_same_answer_in_any_company_and_order(folder: Path) -> None:
    """One at a time, all in one go, and in another order; more than a batch of one length among them."""
    opened = inference.load(folder / "served", threads=1)
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


def test_batches_are_small_and_hardly_padded(folder: Path) -> None:
    """At most 64 clips, so that memory is bounded, all of one number of frames."""
    opened = inference.load(folder / "served", threads=1)
    recorder = Recorder(opened.session)
    lengths = tuple(np.random.default_rng(0).integers(800, 8001, 1000).tolist())
    clips = noises(lengths + (8000,) * 100)
    Model(opened.folder, opened.description, opened.version, recorder).predict_waveforms(clips)
    assert sum(batch for batch, _ in recorder.shapes) == len(clips)
    assert max(batch for batch, _ in recorder.shapes) == 64
    assert sum(batch * samples for batch, samples in recorder.shapes) < 1.02 * sum(map(len, clips))


def test_no_clips_have_no_answers(folder: Path) -> None:
    """And it is no error to ask."""
    assert len(inference.load(folder / "served", threads=1).predict_waveforms([]).probabilities) == 0


def test_a_bundle_says_what_the_trained_one_says_and_the_hash_of_its_graph(folder: Path) -> None:
    """Every parameter, the calibration and the reference."""
    description, _ = bundle.describe(folder / "served")
    trained = bundle.describe_training(folder / "trained")
    assert description.model_dump(exclude={"graph_sha256", "metrics"}) == trained.model_dump()


@pytest.mark.parametrize("model", ["cnn", "lstm"])
def test_exporting_twice_gives_the_same_small_bundle(model: str, tmp_path: Path) -> None:
    """So that a stage that is run again changes nothing, and git can hold the selected one."""
    one, other = (small_bundles.write(model, tmp_path / name) for name in ("one", "other"))
    for file in (bundle.GRAPH, bundle.DESCRIPTION):
        assert (one / file).read_bytes() == (other / file).read_bytes()
    assert (one / bundle.GRAPH).stat().st_size < 1_000_000


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    """The error names the file; so it does where there is none."""
    for name, channels in (("one", (6, 12)), ("other", (6, 10))):
        small_bundles.write("cnn", tmp_path / name, channels=channels)
    weights = tmp_path / "one" / "trained" / checkpoint.WEIGHTS
    weights.write_bytes((tmp_path / "other" / "trained" / checkpoint.WEIGHTS).read_bytes())
    with pytest.raises(BundleError, match=r"one/trained/weights\.safetensors are no weights of this cnn"):
        checkpoint.load(weights.parent)
    weights.unlink()
    with pytest.raises(BundleError, match=r"weights\.safetensors are no weights of this cnn"):
        checkpoint.load(weights.parent)


def test_a_bundle_whose_graph_takes_something_else_is_not_opened(tmp_path: Path) -> None:
    """The error names what it takes, and what its description claims."""
    texts, sounds = small_bundles.write("lstm", tmp_path / "texts"), small_bundles.write("cnn", tmp_path / "sounds")
    graph = (texts / bundle.GRAPH).read_bytes()
    (sounds / bundle.GRAPH).write_bytes(graph)
    description, _ = bundle.describe(sounds)
    digest = hashlib.sha256(graph).hexdigest()
    bundle.write_description(sounds, description.model_copy(update={"graph_sha256": digest}))
    with pytest.raises(
        BundleError, match=r"has the inputs inputs \(tensor\(int64\)\) and the outputs .*: it is not a graph"
    ):
        inference.load(sounds, threads=1)

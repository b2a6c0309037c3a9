"""Export: a recording through the bundle is answered as training's own path answers it."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from audiomnist import audio, bundle, inference, params, text, transcripts
from audiomnist.bundle import Description
from audiomnist.corpus import manifest
from audiomnist.corpus.dataset import Dataset
from audiomnist.export import ExportError, export
from audiomnist.featurize import FeatureParams, featurize
from audiomnist.inference import Model
from audiomnist.models import architecture
from audiomnist.models.architecture import Examples

COMMITTED = Path(__file__).parents[2] / "params.yaml"
TEMPERATURE = 1.7
TOLERANCE = 1e-4
# By the second of duration: shorter than a window, one window, usual ones, longer than max_duration_s.
DURATIONS_S = (0.01, 0.025, 0.11, 0.3, 0.31, 0.9, 1.5)
RATES_HZ = (8000, 8000, 8000, 16_000, 8000, 44_100, 8000)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write recordings of several lengths and rates, and their features."""
    folder = tmp_path_factory.mktemp("corpus")
    (folder / "raw").mkdir()
    for digit, (duration_s, rate_hz) in enumerate(zip(DURATIONS_S, RATES_HZ, strict=True)):
        time_s = np.arange(round(rate_hz * duration_s)) / rate_hz
        noise = np.random.default_rng(digit).normal(0, 0.03, len(time_s))
        samples = 0.4 * np.sin(2 * np.pi * (200 + 150 * digit) * time_s * (1 + time_s)) + noise
        soundfile.write(folder / "raw" / f"{digit}_ada_0.wav", samples, rate_hz, subtype="PCM_16")
    manifest.write(folder / "manifest.csv", manifest.describe_folder(folder / "raw"))
    how = params.section(COMMITTED, "features", FeatureParams)
    clean = how.model_copy(update={"augment": how.augment.model_copy(update={"copies": 0})})
    featurize(folder / "manifest.csv", folder / "raw", clean, folder / "features")
    return folder


def stirred(network: nn.Module) -> nn.Module:
    """Give an untrained network weights that make its answers differ from clip to clip."""
    draw = torch.Generator().manual_seed(3)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None
            module.running_mean.normal_(generator=draw)
            nn.init.normal_(module.bias, generator=draw)
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, generator=draw)
    return network.eval()


def served(model: str, network: nn.Module, examples: Examples, files: list[str], folder: Path) -> Model:
    """Export a network, describe it, and open it as the scorer does."""
    inputs, lengths = examples.served(files)
    export(examples.deployable(network), torch.from_numpy(inputs), torch.from_numpy(lengths), folder / bundle.GRAPH)
    content: dict[str, Any] = {
        "model": model,
        "input": examples.service(),
        "dataset": Dataset("noises", "1"),
        "code_revision": None,
        "split": {},
        "parameters": {},
        "temperature": TEMPERATURE,
        "graph_sha256": hashlib.sha256((folder / bundle.GRAPH).read_bytes()).hexdigest(),
    }
    bundle.write_description(folder, Description.model_validate(content))
    return inference.load(folder, threads=1)


def built(model: str, examples: Examples, files: list[str], **changes: Any) -> nn.Module:
    """Build a model of the committed parameters, with random weights."""
    torch.manual_seed(1)
    chosen = architecture(model)
    how = params.section(COMMITTED, f"models.{model}", chosen.params).model_copy(update=changes)
    return stirred(chosen.build(how, examples, files))


def softmax(network: nn.Module, inputs: NDArray[Any], lengths: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return what the network answers in PyTorch, calibrated."""
    with torch.inference_mode():
        logits = network(torch.from_numpy(np.ascontiguousarray(inputs)), torch.from_numpy(lengths))
    return np.asarray((logits / TEMPERATURE).softmax(dim=1).numpy())


@pytest.mark.parametrize(
    ("model", "changes"),
    [
        ("cnn", {}),
        ("cnn", {"halve": "max", "kernel": 4}),
        ("rnn", {}),
        ("rnn", {"cell": "simple", "units": (9, 7)}),
        ("rnn", {"cell": "lstm", "units": (9, 7)}),
    ],
)
def test_a_recording_through_the_bundle_is_answered_as_its_features_are(
    model: str, changes: dict[str, Any], corpus: Path, tmp_path: Path
) -> None:
    """File, bundle: the same as file, tensor, PyTorch; each clip alone, and all in one batch."""
    examples = architecture(model).examples(corpus / "features")
    files = sorted(path.name for path in (corpus / "raw").iterdir())
    network = built(model, examples, files, **changes)
    opened = served(model, network, examples, files[2:4], tmp_path)
    expected = softmax(network, *examples.clean(files))
    assert np.ptp(expected, axis=0).max() > 0.05
    prepared = [opened.prepare(audio.read(corpus / "raw" / file)) for file in files]
    together = opened.predict_waveforms(prepared)
    alone = np.concatenate([opened.predict_waveforms([samples]) for samples in prepared])
    np.testing.assert_allclose(together, expected, rtol=0, atol=TOLERANCE)
    np.testing.assert_allclose(alone, expected, rtol=0, atol=TOLERANCE)
    np.testing.assert_allclose(together.sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("cell", ["simple", "gru", "lstm"])
def test_hypotheses_through_the_bundle_are_answered_as_their_tokens_are(cell: str, toy: Path, tmp_path: Path) -> None:
    """From texts of any length, none included."""
    examples = architecture("lstm").examples(toy / "transcripts")
    files = ["0_ada_0.wav", "7_ben_1.wav", "3_cyd_2.wav"]
    network = built("lstm", examples, files, cell=cell, units=(9, 7))
    opened = served("lstm", network, examples, files, tmp_path)
    texts = [*text.texts_by_file(transcripts.read(toy / "transcripts")).values(), [], ["a" * 500], ["?"]]
    expected = softmax(network, *text.pad_tokens([text.encode(hypotheses) for hypotheses in texts]))
    np.testing.assert_allclose(opened.predict_texts(texts), expected, rtol=0, atol=TOLERANCE)
    np.testing.assert_allclose(opened.predict_texts(texts[-3:-2]), expected[-3:-2], rtol=0, atol=TOLERANCE)


class Moody(nn.Module):
    """A network whose answer depends on how often it was asked, which no graph can express."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0

    def forward(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """Return the lengths plus the number of questions."""
        self.asked += 1
        return inputs.sum(dim=1, keepdim=True) + lengths.unsqueeze(1) + float(self.asked)


def test_a_graph_that_answers_differently_is_refused(tmp_path: Path) -> None:
    """The error says by how much."""
    with pytest.raises(ExportError, match=r"differs from the network by [1-9]"):
        export(Moody(), torch.zeros(2, 5), torch.tensor([5, 4]), tmp_path / "model.onnx")


class Lost(nn.Module):
    """A network that does not know its answer."""

    def forward(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """Return what is not a number."""
        return inputs.sum(dim=1, keepdim=True) * lengths.unsqueeze(1) * float("nan")


def test_a_graph_that_answers_with_no_number_is_refused(tmp_path: Path) -> None:
    """NaN is no agreement."""
    with pytest.raises(ExportError):
        export(Lost(), torch.zeros(2, 5), torch.tensor([5, 4]), tmp_path / "model.onnx")


def test_export_switches_dropout_off(tmp_path: Path) -> None:
    """The network is served in evaluation mode, whatever mode it came in."""

    class Dropping(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.dropout = nn.Dropout(0.9)

        def forward(self, inputs: Tensor, lengths: Tensor) -> Tensor:
            return torch.as_tensor(self.dropout(inputs) + lengths.unsqueeze(1))

    network = Dropping().train()
    export(network, torch.ones(2, 10), torch.tensor([1, 2]), tmp_path / "model.onnx")
    assert not network.training

"""Export: a recording through the bundle is answered as training's own path answers it."""

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from audiomnist.audio import waveform
from audiomnist.core import params
from audiomnist.core.params import Section
from audiomnist.corpus import manifest, splits
from audiomnist.corpus.info import Dataset
from audiomnist.corpus.splits import Clip
from audiomnist.export import optimize
from audiomnist.export.optimize import ExportError, export_bundle, exported
from audiomnist.features.extract import featurize
from audiomnist.features.params import FeatureParams
from audiomnist.models.common import checkpoint
from audiomnist.models.common.base import ClipDataset
from audiomnist.models.common.ood import OodClassifier
from audiomnist.models.common.registry import architecture
from audiomnist.serving import model as inference
from audiomnist.serving.bundle.description import Calibration, Training
from audiomnist.serving.model import Model, Predictions
from audiomnist.training.trainer import embed, labels_of
from audiomnist.transcripts import table, tokenizer

COMMITTED = Path(__file__).parents[3] / "params.yaml"
TEMPERATURE = 1.7
HISTOGRAM = {"edges": [0.5], "shares": [0.5, 0.5]}
REFERENCE = {"labels": [0.1] * 10, "confidence": HISTOGRAM, "duration_s": HISTOGRAM}
TOLERANCE = 1e-4
OOD_TOLERANCE = 1e-3
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
    manifest.write(folder / "manifest.csv", manifest.describe_folder(folder / "raw").recordings)
    how = params.section(COMMITTED, "features", FeatureParams)
    clean = how.model_copy(update={"augment": how.augment.model_copy(update={"copies_per_clip": 0})})
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
            nn.init.normal_(module.weight, std=5 * module.in_features**-0.5, generator=draw)
    return network.eval()


def served(
    model: str, how: Section, network: OodClassifier, calibration: Calibration, dataset: ClipDataset, folder: Path
) -> Model:
    """Save a network, export it without rounding to 8 bits, and open it as the scorer does."""
    content: dict[str, Any] = {
        "model": model,
        "input": dataset.input_spec(),
        "dataset": Dataset("noises", "1"),
        "split": {},
        "parameters": {"model": how.model_dump()},
        "calibration": calibration,
        "reference": REFERENCE,
    }
    (folder / "trained").mkdir()
    checkpoint.save(folder / "trained", network, Training.model_validate(content))
    clips = [Clip(f"{digit}_ada_0.wav", digit, "ada", "train") for digit in range(len(DURATIONS_S))]
    splits.write(folder / "split.csv", clips)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(optimize, "quantized", lambda graph, _batches: graph)
        export_bundle(folder / "trained", folder / "raw", folder / "split.csv", folder / "served")
    return inference.load(folder / "served", threads=1)


def built(model: str, dataset: ClipDataset, files: list[str], **changes: Any) -> tuple[Section, OodClassifier]:
    """Build a model of the committed parameters, with random weights, that judges by the files and by others like them.

    The others have the files' features with some noise.
    """
    torch.manual_seed(1)
    chosen = architecture(model)
    how = params.section(COMMITTED, f"models.{model}", chosen.params).model_copy(update=changes)
    network = chosen.build(how, dataset.input_spec())
    network.scale_by(*(torch.from_numpy(np.ascontiguousarray(array)) for array in dataset.get(files)))
    stirred(network)
    clips = [Clip(file, int(file[0]), "ada", "train") for file in files]
    features = embed(network, dataset, clips).repeat(9, 1)
    noise = 0.3 * features.std() * torch.randn(features.shape)
    return how, OodClassifier.fitted(network, features + noise, labels_of(clips).repeat(9)).eval()


def answered(
    network: OodClassifier, inputs: NDArray[Any], lengths: NDArray[np.int64]
) -> tuple[Calibration, Predictions]:
    """Return a scale beyond which two in five clips lie, and what the network answers on it in PyTorch."""
    with torch.inference_mode():
        logits, novelty = network(torch.from_numpy(np.ascontiguousarray(inputs)), torch.from_numpy(lengths))
    median, p95 = novelty.quantile(torch.tensor([0.2, 0.6])).tolist()
    ood_scores = (novelty - median) / (p95 - median)
    probabilities = (logits / (TEMPERATURE * ood_scores.clamp(min=1)).unsqueeze(1)).softmax(dim=1)
    return Calibration(temperature=TEMPERATURE, ood_median=median, ood_p95=p95), Predictions(
        probabilities.numpy(), ood_scores.numpy()
    )


def assert_equal(found: Predictions, expected: Predictions) -> None:
    """Compare answers: probabilities, and how far out of the distribution the clips lie."""
    np.testing.assert_allclose(found.probabilities, expected.probabilities, rtol=0, atol=TOLERANCE)
    np.testing.assert_allclose(found.ood_scores, expected.ood_scores, rtol=OOD_TOLERANCE, atol=OOD_TOLERANCE)


def part(predictions: Predictions, which: slice) -> Predictions:
    """Return the answers to some of the clips."""
    return Predictions(predictions.probabilities[which], predictions.ood_scores[which])


@pytest.mark.parametrize(
    ("model", "changes"),
    [
        ("cnn", {}),
        ("cnn", {"downsampling": "max_pool", "kernel_size": 4, "residual_blocks": (0, 0, 0)}),
        ("rnn", {}),
        ("rnn", {"channels": (), "residual_blocks": ()}),
        ("rnn", {"channels": (4,), "residual_blocks": (1,)}),
        ("rnn", {"cell": "rnn", "hidden_sizes": (9, 7)}),
        ("rnn", {"cell": "lstm", "hidden_sizes": (9, 7)}),
    ],
)
def test_a_recording_through_the_bundle_is_answered_as_its_features_are(
    model: str, changes: dict[str, Any], corpus: Path, tmp_path: Path
) -> None:
    """File, bundle: the same as file, tensor, PyTorch; each clip alone, and all in one batch."""
    dataset = architecture(model).open_dataset(corpus / "features")
    files = sorted(path.name for path in (corpus / "raw").iterdir())
    how, network = built(model, dataset, files, **changes)
    calibration, expected = answered(network, *dataset.get(files))
    (tmp_path / "raw").symlink_to(corpus / "raw")
    opened = served(model, how, network, calibration, dataset, tmp_path)
    assert np.ptp(expected.probabilities, axis=0).max() > 0.02
    assert expected.ood_scores.min() < 1 < expected.ood_scores.max()
    prepared = [opened.prepare(waveform.read(corpus / "raw" / file)) for file in files]
    together = opened.predict_waveforms(prepared)
    assert_equal(together, expected)
    for index, samples in enumerate(prepared):
        assert_equal(opened.predict_waveforms([samples]), part(expected, slice(index, index + 1)))
    np.testing.assert_allclose(together.probabilities.sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_hypotheses_through_the_bundle_are_answered_as_their_tokens_are(cell: str, toy: Path, tmp_path: Path) -> None:
    """From texts of any length, none included."""
    dataset = architecture("lstm").open_dataset(toy / "transcripts")
    files = ["0_ada_0.wav", "7_ben_1.wav", "3_cyd_2.wav"]
    how, network = built("lstm", dataset, files, cell=cell, hidden_sizes=(9, 7))
    texts = [*tokenizer.texts_by_file(table.read(toy / "transcripts")).values(), [], ["a" * 500], ["?"]]
    calibration, expected = answered(
        network, *tokenizer.pad_tokens([tokenizer.encode(hypotheses) for hypotheses in texts])
    )
    opened = served("lstm", how, network, calibration, dataset, tmp_path)
    assert expected.ood_scores.min() < 1 < expected.ood_scores.max()
    assert_equal(opened.predict_texts(texts), expected)
    assert_equal(opened.predict_texts(texts[-3:-2]), part(expected, slice(-3, -2)))


class Moody(nn.Module):
    """A network one of whose answers depends on how often it was asked, which no graph can express."""

    def __init__(self, output: str, step: float) -> None:
        super().__init__()
        self.output, self.step = output, step
        self.asked = 0

    def forward(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Return sums of the inputs twice, in one output with the number of questions."""
        self.asked += 1
        steady = inputs.sum(dim=1)
        moody = steady + self.step * self.asked
        return (moody if self.output == "logits" else steady).unsqueeze(
            1
        ), moody if self.output == "novelty" else steady


@pytest.mark.parametrize("output", ["logits", "novelty"])
def test_a_graph_that_answers_differently_is_refused(output: str) -> None:
    """The error says by how much, and in what."""
    with pytest.raises(ExportError, match=rf"differs from the network by 0\.\d+ in its {output}"):
        exported(Moody(output, 2.0), [inputs_of(5, 4)])


REFUSED = pytest.raises(ExportError)


@pytest.mark.parametrize(("step", "outcome"), [(3e-4, nullcontext()), (3e-3, REFUSED), (-3e-3, REFUSED)])
@pytest.mark.parametrize("output", ["logits", "novelty"])
@pytest.mark.parametrize("size", [1, 1000])
def test_a_graph_may_differ_by_a_thousandth_of_each_answer(
    output: str, step: float, outcome: AbstractContextManager[Any], size: int
) -> None:
    """Not by a thousandth of the largest one."""
    with outcome:
        exported(Moody(output, step * size), [inputs_of(size, 9 * size)])


class Lost(nn.Module):
    """A network that does not know one of its answers."""

    def __init__(self, output: str) -> None:
        super().__init__()
        self.output = output

    def forward(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Return what is not a number in one output."""
        known = inputs.sum(dim=1)
        lost = known * float("nan")
        return (lost if self.output == "logits" else known).unsqueeze(1), lost if self.output == "novelty" else known


@pytest.mark.parametrize("output", ["logits", "novelty"])
def test_a_graph_that_answers_with_no_number_is_refused(output: str) -> None:
    """NaN is no agreement."""
    with pytest.raises(ExportError, match=output):
        exported(Lost(output), [inputs_of(5, 4)])


def test_a_graph_that_is_right_for_its_first_batch_alone_is_refused() -> None:
    """The others have other sizes, and are compared too."""

    class Fixed(nn.Module):
        def forward(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
            total = inputs.sum(dim=1) / int(inputs.shape[1])
            return total.unsqueeze(1), total

    batches = [np.ones((2, 3), dtype=np.float32), np.ones((2, 5), dtype=np.float32)]
    exported(Fixed(), batches[:1])
    with pytest.raises(ExportError, match="logits"):
        exported(Fixed(), batches)


def test_export_switches_dropout_off() -> None:
    """The network is served in evaluation mode, whatever mode it came in."""

    class Dropping(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.dropout = nn.Dropout(0.9)

        def forward(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
            return torch.as_tensor(self.dropout(inputs)), inputs.sum(dim=1)

    network = Dropping().train()
    exported(network, [np.ones((2, 10), dtype=np.float32)])
    assert not network.training


def inputs_of(*sums: float) -> NDArray[np.float32]:
    """Return inputs of these sums, `(batch, 5)`."""
    return np.array(sums, dtype=np.float32).reshape(-1, 1) * np.eye(1, 5, dtype=np.float32)

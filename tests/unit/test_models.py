"""The networks: that each is built from its parameters, and what it answers."""

from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError

from audiomnist import models, params
from audiomnist.models import architecture
from audiomnist.models.architecture import Network
from audiomnist.models.cnn import CnnParams
from audiomnist.models.lstm import LstmParams
from audiomnist.models.rnn import RnnParams
from audiomnist.models.sequences import pool
from audiomnist.tensors import Scaling

COMMITTED = Path(__file__).parents[2] / "params.yaml"
INPUTS = {"cnn": "features", "rnn": "features", "lstm": "transcripts"}
FILES = [f"{digit}_ada_2.wav" for digit in range(10)]

PAPER_SIZES: dict[str, dict[str, Any]] = {
    "cnn": {"channels": [256, 128, 64], "kernel": 4, "halve": "max", "dropout": 0.2, "masked_fraction": 0.0},
    "rnn": {"cell": "simple", "units": [256, 128, 64], "dropout": 0.2, "masked_fraction": 0.0},
    "lstm": {"cell": "lstm", "units": [256, 128, 64], "dropout": 0.2, "embedding": 16},
}

CNN = {"channels": [4], "kernel": 3, "halve": "stride", "dropout": 0.0, "masked_fraction": 0.0}
RECURRENT = {"cell": "gru", "units": [4], "dropout": 0.0}
RNN = RECURRENT | {"masked_fraction": 0.0}
LSTM = RECURRENT | {"embedding": 4}


def built(model: str, network_params: params.Section, toy: Path) -> tuple[Network, torch.Tensor, torch.Tensor]:
    """Build a network to be asked; return it with ten clips and their lengths."""
    chosen = architecture(model)
    examples = chosen.examples(toy / INPUTS[model])
    inputs, lengths = examples.clean(FILES)
    network = chosen.build(network_params, examples, FILES).eval()
    return network, torch.from_numpy(inputs), torch.from_numpy(lengths)


def logits_of(model: str, network_params: params.Section, toy: Path) -> torch.Tensor:
    """Build a network and return what it answers to ten clips."""
    network, inputs, lengths = built(model, network_params, toy)
    with torch.inference_mode():
        answer: torch.Tensor = network(inputs, lengths)
    return answer


@pytest.mark.parametrize("model", models.MODULES)
def test_every_network_builds_from_the_committed_parameters(model: str, toy: Path) -> None:
    """It gives ten finite logits a clip."""
    committed = params.section(COMMITTED, f"models.{model}", architecture(model).params)
    logits = logits_of(model, committed, toy)
    assert logits.shape == (10, 10)
    assert logits.isfinite().all()


@pytest.mark.parametrize("model", models.MODULES)
def test_every_network_builds_at_the_sizes_of_the_paper(model: str, toy: Path) -> None:
    """Parameters alone turn the networks into the paper's."""
    logits = logits_of(model, architecture(model).params.model_validate(PAPER_SIZES[model]), toy)
    assert logits.shape == (10, 10)
    assert logits.isfinite().all()


@pytest.mark.parametrize("model", models.MODULES)
def test_every_network_answers_by_a_linear_layer_over_its_features(model: str, toy: Path) -> None:
    """Features are a row of numbers for each clip; asked in two steps or in one, the answer is the same."""
    committed = params.section(COMMITTED, f"models.{model}", architecture(model).params)
    network, inputs, lengths = built(model, committed, toy)
    with torch.inference_mode():
        features = network.embed(inputs, lengths)
        half = network.classify(features / 2)
        zero = network.classify(torch.zeros_like(features))
        answer = network(inputs, lengths)
        assert torch.equal(network.classify(features), answer)
    assert (features.ndim, len(features), features.dtype) == (2, 10, torch.float32)
    assert features.std(dim=0).max() > 0
    torch.testing.assert_close(2 * half - zero, answer, rtol=1e-4, atol=1e-5)


def test_a_network_without_features_cannot_be_made() -> None:
    """`embed` is what each must bring."""
    with pytest.raises(TypeError, match="embed"):
        Network()  # type: ignore[abstract]


def test_the_committed_file_has_a_section_for_each_model_and_no_other() -> None:
    """The table of builders and params.yaml name the same models."""
    assert params.read(COMMITTED)["models"].keys() == models.MODULES.keys()


def test_an_unknown_name_is_a_key_error() -> None:
    """The table of builders is the list of names."""
    with pytest.raises(KeyError, match="transformer"):
        architecture("transformer")


@pytest.mark.parametrize(
    ("section", "good", "bad"),
    [
        (CnnParams, CNN, {"channels": []}),
        (CnnParams, CNN, {"kernel": 0}),
        (CnnParams, CNN, {"halve": "mean"}),
        (CnnParams, CNN, {"dropout": 1.0}),
        (CnnParams, CNN, {"filters": 3}),
        (RnnParams, RNN, {"cell": "elman"}),
        (RnnParams, RNN, {"units": []}),
        (RnnParams, RNN, {"dropout": -0.1}),
        (RnnParams, RNN, {"embedding": 4}),
        (LstmParams, LSTM, {"embedding": 0}),
    ],
)
def test_a_parameter_out_of_range_or_unknown_is_refused(
    section: type[params.Section], good: dict[str, Any], bad: dict[str, Any]
) -> None:
    """The message names the parameter."""
    section.model_validate(good)
    with pytest.raises(ValidationError, match=next(iter(bad))):
        section.model_validate(good | bad)


def test_pooling_sees_nothing_beyond_a_sequence() -> None:
    """Mean and maximum are those of the sequence's own steps, even where the padding is higher."""
    sequence = torch.tensor([[[1.0], [-3.0], [50.0]], [[-2.0], [-4.0], [-6.0]]])
    pooled = pool(sequence, torch.tensor([2, 3]))
    assert pooled.tolist() == [[-1.0, 1.0], [-4.0, -2.0]]


def test_a_cnn_scales_its_inputs_by_the_training_files_alone(toy: Path) -> None:
    """Statistics are those of the files that are handed in, over their own frames."""
    chosen = architecture("cnn")
    examples = chosen.examples(toy / "features")
    network = chosen.build(CnnParams.model_validate(CNN), examples, FILES[:1])
    inputs, lengths = examples.clean(FILES[:1])
    own = torch.from_numpy(inputs[0, :, : lengths[0]])
    buffers = dict(network.named_buffers())
    assert torch.allclose(buffers["scale.mean"].flatten(), own.mean(dim=1), atol=1e-4)
    assert torch.allclose(buffers["scale.deviation"].flatten(), own.std(dim=1, correction=0) + 1e-3, atol=1e-3)


def test_masking_hides_stretches_in_training_and_nothing_in_service() -> None:
    """In training at most two stretches of each clip stand at the mean; in evaluation the clip is whole."""
    torch.manual_seed(0)
    scaling = Scaling(torch.zeros(3), torch.ones(3), masked_fraction=0.4)
    frames = torch.tensor([20, 9])
    clips = torch.ones(2, 3, 20)
    hidden = (scaling.train()(clips, frames) == 0).all(dim=1)
    assert hidden.any(dim=1).all()
    edges = (hidden[:, 1:] & ~hidden[:, :-1]).sum(dim=1) + hidden[:, 0]
    assert (edges <= 2).all()
    assert torch.equal(scaling.eval()(clips, frames), clips)

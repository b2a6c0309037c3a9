"""The networks: that each is built from its parameters, and what it answers."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from scipy.fft import dct

from audiomnist.core import params
from audiomnist.models.common import registry
from audiomnist.models.common.base import Network
from audiomnist.models.common.recurrent import mean_max_pool
from audiomnist.models.common.registry import architecture
from audiomnist.models.params.cnn import CnnParams
from audiomnist.models.params.lstm import LstmParams
from audiomnist.models.params.rnn import RnnParams
from audiomnist.models.rnn import Rnn

COMMITTED = Path(__file__).parents[3] / "params.yaml"
INPUTS = {"cnn": "features", "rnn": "features", "lstm": "transcripts", "whisper": "logprobs"}
FILES = [f"{digit}_ada_2.wav" for digit in range(10)]

SPECTRUM: dict[str, Any] = {
    "top_db": 100.0,
    "cmn_strength": 0.0,
    "time_mask_fraction": 0.0,
    "freq_mask_bands": 0,
    "vtlp_range": 0.0,
}
PAPER_SIZES: dict[str, dict[str, Any]] = {
    "cnn": {
        "channels": [256, 128, 64],
        "kernel_size": 4,
        "residual_blocks": [0, 0, 0],
        "downsampling": "max_pool",
        "dropout": 0.2,
        **SPECTRUM,
    },
    "rnn": {
        "channels": [],
        "kernel_size": 3,
        "residual_blocks": [],
        "cell": "rnn",
        "hidden_sizes": [256, 128, 64],
        "dropout": 0.2,
        **SPECTRUM,
    },
    "lstm": {"cell": "lstm", "hidden_sizes": [256, 128, 64], "dropout": 0.2, "embedding_dim": 16},
}

CNN = SPECTRUM | {"channels": [4], "kernel_size": 3, "residual_blocks": [0], "downsampling": "stride", "dropout": 0.0}
RECURRENT = {"cell": "gru", "hidden_sizes": [4], "dropout": 0.0}
RNN = SPECTRUM | RECURRENT | {"channels": [4], "kernel_size": 3, "residual_blocks": [0]}
LSTM = RECURRENT | {"embedding_dim": 4}


def built(model: str, network_params: params.Section, toy: Path) -> tuple[Network, torch.Tensor, torch.Tensor]:
    """Build a network to be asked; return it with ten clips and their lengths."""
    chosen = architecture(model)
    dataset = chosen.open_dataset(toy / INPUTS[model])
    inputs, lengths = dataset.get(FILES)
    network = chosen.build(network_params, dataset.input_spec()).eval()
    network.scale_by(torch.from_numpy(inputs), torch.from_numpy(lengths))
    return network, torch.from_numpy(inputs), torch.from_numpy(lengths)


def logits_of(model: str, network_params: params.Section, toy: Path) -> torch.Tensor:
    """Build a network and return what it answers to ten clips."""
    network, inputs, lengths = built(model, network_params, toy)
    with torch.inference_mode():
        answer: torch.Tensor = network(inputs, lengths)
    return answer


@pytest.mark.parametrize("model", registry.MODULES)
def test_every_network_builds_from_the_committed_parameters(model: str, toy: Path) -> None:
    """It gives ten finite logits a clip."""
    committed = params.section(COMMITTED, f"models.{model}", architecture(model).params)
    logits = logits_of(model, committed, toy)
    assert logits.shape == (10, 10)
    assert logits.isfinite().all()


@pytest.mark.parametrize("model", PAPER_SIZES)
def test_every_network_builds_at_the_sizes_of_the_paper(model: str, toy: Path) -> None:
    """Parameters alone turn the networks into the paper's."""
    logits = logits_of(model, architecture(model).params.model_validate(PAPER_SIZES[model]), toy)
    assert logits.shape == (10, 10)
    assert logits.isfinite().all()


@pytest.mark.parametrize("model", registry.MODULES)
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


def test_the_committed_file_has_a_section_for_each_network_the_cascade_and_the_linear_baseline_and_no_other() -> None:
    """The table of builders and params.yaml name the same networks."""
    assert params.read(COMMITTED)["models"].keys() == registry.MODULES.keys() | {"cascade", "linear"}


def test_an_unknown_name_is_a_key_error() -> None:
    """The table of builders is the list of names."""
    with pytest.raises(KeyError, match="transformer"):
        architecture("transformer")


@pytest.mark.parametrize(
    ("section", "good", "bad"),
    [
        (CnnParams, CNN, {"channels": []}),
        (CnnParams, CNN, {"kernel_size": 0}),
        (CnnParams, CNN, {"residual_blocks": [-1]}),
        (CnnParams, CNN, {"residual_blocks": [9]}),
        (CnnParams, CNN, {"residual_blocks": [1, 1]}),
        (CnnParams, CNN, {"downsampling": "mean"}),
        (CnnParams, CNN, {"dropout": 1.0}),
        (CnnParams, CNN, {"filters": 3}),
        (CnnParams, CNN, {"top_db": 0.0}),
        (CnnParams, CNN, {"cmn_strength": 1.1}),
        (CnnParams, CNN, {"cmn_strength": -0.1}),
        (CnnParams, CNN, {"time_mask_fraction": 1.0}),
        (CnnParams, CNN, {"freq_mask_bands": -1}),
        (CnnParams, CNN, {"vtlp_range": -0.1}),
        (CnnParams, CNN, {"vtlp_range": 0.6}),
        (RnnParams, RNN, {"channels": [0]}),
        (RnnParams, RNN, {"kernel_size": 10}),
        (RnnParams, RNN, {"residual_blocks": [-1]}),
        (RnnParams, RNN, {"vtlp_range": 0.6}),
        (RnnParams, RNN, {"cell": "elman"}),
        (RnnParams, RNN, {"hidden_sizes": []}),
        (RnnParams, RNN, {"dropout": -0.1}),
        (RnnParams, RNN, {"embedding_dim": 4}),
        (LstmParams, LSTM, {"embedding_dim": 0}),
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
    pooled = mean_max_pool(sequence, torch.tensor([2, 3]))
    assert pooled.tolist() == [[-1.0, 1.0], [-4.0, -2.0]]


@pytest.mark.parametrize(
    ("model", "how"),
    [
        ("cnn", CNN),
        ("cnn", CNN | {"residual_blocks": [2]}),
        ("rnn", RNN),
        ("rnn", RNN | {"channels": [], "residual_blocks": []}),
    ],
)
def test_a_network_scales_its_inputs_by_the_training_files_alone(model: str, how: dict[str, Any], toy: Path) -> None:
    """Statistics are those of the files that are handed in, over their own frames, band by band."""
    chosen = architecture(model)
    dataset = chosen.open_dataset(toy / "features")
    inputs, lengths = dataset.get(FILES)
    assert min(lengths[:2]) < inputs.shape[2]
    bands = [dct(inputs[clip, :, : lengths[clip]], type=3, axis=0, norm="ortho") for clip in (0, 1)]
    own = np.concatenate([np.maximum(clip, clip.max() - how["top_db"]) for clip in bands], axis=1)
    network = chosen.build(chosen.params.model_validate(how), dataset.input_spec())
    network.scale_by(*(torch.from_numpy(array) for array in dataset.get(FILES[:2])))
    buffers = dict(network.named_buffers())
    np.testing.assert_allclose(buffers["spectrum.mean"].flatten(), own.mean(axis=1), atol=1e-3)
    np.testing.assert_allclose(buffers["spectrum.std"].flatten(), own.std(axis=1, ddof=1), atol=1e-3)


def test_a_recurrent_network_without_convolutions_reads_the_spectra_themselves(toy: Path) -> None:
    """A step per frame and a number per band; each convolution before it halves both."""
    sizes = {}
    for channels in ([], [4], [4, 6]):
        network, inputs, lengths = built(
            "rnn", RnnParams.model_validate(RNN | {"channels": channels, "residual_blocks": [0] * len(channels)}), toy
        )
        assert isinstance(network, Rnn)
        with torch.inference_mode():
            steps, own = network.convolutions(network.spectrum(inputs, lengths), lengths)
        sizes[len(channels)] = steps.shape[1:], own
    frames = inputs.shape[2]
    halves = [frames, (frames + 1) // 2, ((frames + 1) // 2 + 1) // 2]
    assert [tuple(size) for size, _ in sizes.values()] == [(halves[0], 40), (halves[1], 4 * 20), (halves[2], 6 * 10)]
    assert sizes[0][1].tolist() == lengths.tolist()
    assert sizes[1][1].tolist() == [(length + 1) // 2 for length in lengths.tolist()]

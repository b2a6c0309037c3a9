"""What else is in a batch, and how long the padding is, changes no answer: with masks it is that of a clip alone."""

from collections.abc import Sequence
from functools import lru_cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from audiomnist.core import params
from audiomnist.features.front_end import FrontEndParams
from audiomnist.features.mfcc import FrontEnd
from audiomnist.features.params import FeatureParams
from audiomnist.models.cnn import Cnn
from audiomnist.models.common.base import Network
from audiomnist.models.common.conv import ConvStack
from audiomnist.models.common.ood import OodClassifier
from audiomnist.models.common.params import ConvStackParams, LogMelInputParams
from audiomnist.models.common.spectrogram import LogMelInput
from audiomnist.models.lstm import Lstm
from audiomnist.models.params.cnn import CnnParams
from audiomnist.models.params.lstm import LstmParams
from audiomnist.models.params.rnn import RnnParams
from audiomnist.models.rnn import Rnn
from audiomnist.transcripts.tokenizer import VOCAB_SIZE

COMMITTED = Path(__file__).parents[2] / "params.yaml"
COEFFICIENTS = 13
# Coefficients run over hundreds of dB, in float32.
MFCC_TOLERANCE_DB = 1e-3
LOGIT_TOLERANCE = 1e-5
KNOWN_CLIPS = 120
KNOWN_SAMPLES = [20 * clip + 200 for clip in range(KNOWN_CLIPS)]

# A floor that many values of the random MFCCs lie below, and more than a band's mean to be moved by.
SPECTRUM: dict[str, Any] = {
    "top_db": 8.0,
    "cmn_strength": 0.7,
    "time_mask_fraction": 0.5,
    "freq_mask_bands": 3,
    "vtlp_range": 0.1,
}
CNNS = [
    CnnParams.model_validate(
        SPECTRUM
        | {
            "channels": (4, 6, 5),
            "kernel_size": kernel,
            "downsampling": downsampling,
            "residual_blocks": (blocks,) * 3,
            "dropout": 0.5,
        },
    )
    for kernel, downsampling, blocks in [
        *product((1, 3, 4), ("stride", "max_pool"), (0,)),
        (3, "stride", 2),
        (4, "max_pool", 1),
    ]
]
CELLS = ("rnn", "gru", "lstm")
CHANNELS = ((), (4,), (4, 3))

steps = st.lists(st.integers(1, 37), min_size=1, max_size=4)
margins = st.integers(0, 9)
seeds = st.integers(0, 2**31)


@lru_cache
def front_end_params() -> FrontEndParams:
    """Return the committed front end."""
    return params.section(COMMITTED, "features", FeatureParams)


def stirred(network: nn.Module) -> None:
    """Give a network normalization that maps zero to something else, as a trained one has, and let it be asked."""
    draw = torch.Generator().manual_seed(7)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            module.running_mean.normal_(generator=draw)
            module.running_var.uniform_(0.5, 2, generator=draw)
            nn.init.normal_(module.bias, generator=draw)
    network.eval()


def spectrum(**changes: float) -> LogMelInput:
    """Return a network's first step, whose mean and deviation make the padding anything but zero."""
    made = LogMelInput(LogMelInputParams.model_validate(SPECTRUM | changes), small_front_end())
    fit(made)
    return made


def fit(layer: LogMelInput) -> None:
    """Set mean and deviation of a network's first step to such that make the padding anything but zero."""
    layer.fit(*known_mfccs())
    layer.mean += torch.linspace(-2, 2, COEFFICIENTS).reshape(1, -1, 1)


def small_front_end() -> FrontEndParams:
    """Return a front end of few coefficients, and as many bands."""
    return front_end_params().model_copy(update={"n_mels": COEFFICIENTS, "n_mfcc": COEFFICIENTS})


def classifier(network: Network, inputs: Tensor, lengths: Tensor) -> OodClassifier:
    """Let a network judge novelty by these clips, as if they were those that it was trained on."""
    stirred(network)
    with torch.inference_mode():
        features = network.embed(inputs, lengths)
    return OodClassifier.fitted(network, features.clone(), torch.arange(len(inputs)) % 10).eval()


@lru_cache
def cnn(index: int) -> nn.Module:
    """Return one of the convolutional networks."""
    torch.manual_seed(index)
    network = Cnn(CNNS[index], small_front_end())
    fit(network.spectrum)
    return classifier(network, *known_mfccs())


@lru_cache
def rnn(cell: str, channels: tuple[int, ...]) -> nn.Module:
    """Return a recurrent network of two layers, with convolutions of these channels before them."""
    torch.manual_seed(0)
    how = SPECTRUM | {
        "channels": channels,
        "kernel_size": 3,
        "residual_blocks": [1] * len(channels),
        "cell": cell,
        "hidden_sizes": (6, 5),
        "dropout": 0.5,
    }
    network = Rnn(RnnParams.model_validate(how), small_front_end())
    fit(network.spectrum)
    return classifier(network, *known_mfccs())


@lru_cache
def convolutions(channels: tuple[int, ...], kernel: int, downsampling: str, blocks: int) -> ConvStack:
    """Return convolutions as if they were trained."""
    torch.manual_seed(0)
    params = ConvStackParams(channels=channels, kernel_size=kernel, residual_blocks=(blocks,) * len(channels))
    layers = ConvStack(params, downsampling)
    stirred(layers)
    return layers


@lru_cache
def lstm(cell: str) -> nn.Module:
    """Return a network over tokens, of two layers."""
    torch.manual_seed(0)
    how = LstmParams(cell=cell, hidden_sizes=(6, 5), dropout=0.5, embedding_dim=4)  # type: ignore[arg-type]
    return classifier(Lstm(how), torch.randint(0, VOCAB_SIZE, (KNOWN_CLIPS, 30)), known_lengths())


def known_lengths() -> Tensor:
    """Return the steps of the clips that novelty is computed from."""
    return torch.arange(KNOWN_CLIPS) % 30 + 1


def known_mfccs() -> tuple[Tensor, Tensor]:
    """Return the MFCCs of the clips that novelty is computed from, and their frames."""
    lengths = known_lengths()
    return mfccs(lengths.tolist(), 0, 0), lengths


def mfccs(lengths: Sequence[int], margin: int, seed: int) -> Tensor:
    """Return random MFCCs `(batch, coefficients, frames)`, padded with zeros by `margin` more than needed."""
    draw = torch.Generator().manual_seed(seed)
    batch = torch.zeros(len(lengths), COEFFICIENTS, max(lengths) + margin)
    for row, length in zip(batch, lengths, strict=True):
        row[:, :length] = 3 * torch.randn(COEFFICIENTS, length, generator=draw)
    return batch


def waveforms(lengths: Sequence[int], margin: int, seed: int) -> Tensor:
    """Return noise of falling level `(batch, samples)`, padded to a window at least, and by `margin` more."""
    draw = torch.Generator().manual_seed(seed)
    batch = torch.zeros(len(lengths), max(front_end_params().win_length, *lengths) + margin)
    for row, length in zip(batch, lengths, strict=True):
        row[:length] = torch.randn(length, generator=draw) * torch.linspace(1, 0.05, length) * 0.1
    return batch


@lru_cache
def served(kind: str) -> nn.Module:
    """Return a graph that takes waveforms."""
    torch.manual_seed(0)
    front_end = FrontEnd(front_end_params())
    known = front_end(waveforms(KNOWN_SAMPLES, 0, 0), torch.tensor(KNOWN_SAMPLES))
    how = SPECTRUM | {"top_db": 30.0, "channels": (4, 6), "kernel_size": 3, "residual_blocks": (1, 1), "dropout": 0.0}
    networks: dict[str, Network] = {
        "cnn": Cnn(CnnParams.model_validate(how | {"downsampling": "stride"}), front_end_params()),
        "rnn": Rnn(RnnParams.model_validate(how | {"cell": "gru", "hidden_sizes": (6,)}), front_end_params()),
    }
    networks[kind].scale_by(*known)
    return WaveformModel(front_end, classifier(networks[kind], *known)).eval()


class WaveformModel(nn.Module):
    """Waveforms of any lengths in one batch, through the front end and a network."""

    def __init__(self, front_end: FrontEnd, network: nn.Module) -> None:
        super().__init__()
        self.front_end, self.network = front_end, network

    def forward(self, batch: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return logits and novelty."""
        outputs: tuple[Tensor, Tensor] = self.network(*self.front_end(batch, lengths))
        return outputs


def assert_equal(network: nn.Module, batch: Tensor, lengths: Sequence[int], at_least: int = 1) -> None:
    """Compare each clip's logits and novelty in the batch with those that it has alone, without padding or masks.

    Features, like logits, may differ by rounding. What that makes of novelty, which counts in deviations of the
    training clips, follows from its derivative by the features.
    """
    head, features = embedded(network, batch, torch.tensor(lengths))
    alone = [
        embedded(network, row[None, ..., : max(at_least, length)], None)[1]
        for row, length in zip(batch, lengths, strict=True)
    ]
    own = torch.cat(alone).requires_grad_()
    logits, novelty = head.classify_features(features)
    own_logits, own_novelty = head.classify_features(own)
    (derivative,) = torch.autograd.grad(own_novelty.sum(), own)
    torch.testing.assert_close(logits, own_logits, rtol=0, atol=LOGIT_TOLERANCE)
    tolerance = LOGIT_TOLERANCE * (1 + derivative.abs().sum(dim=1))
    assert ((novelty - own_novelty).abs() <= tolerance).all(), (novelty, own_novelty, tolerance)


def embedded(network: nn.Module, batch: Tensor, lengths: Tensor | None) -> tuple[OodClassifier, Tensor]:
    """Return the classifier in a network, and the features that it gets for a batch."""
    if isinstance(network, WaveformModel):
        batch, lengths = network.front_end(batch, lengths)
        network = network.network
    assert isinstance(network, OodClassifier)
    with torch.no_grad():
        return network, network.network.embed(batch, lengths)


@pytest.mark.parametrize("index", range(len(CNNS)))
@settings(deadline=None, max_examples=25)
@given(lengths=steps, margin=margins, seed=seeds)
def test_padding_changes_no_answer_of_a_cnn(index: int, lengths: list[int], margin: int, seed: int) -> None:
    """With stride or pooling, odd and even kernels, odd and even lengths."""
    assert_equal(cnn(index), mfccs(lengths, margin, seed), lengths)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("channels", CHANNELS)
@settings(deadline=None, max_examples=25)
@given(lengths=steps, margin=margins, seed=seeds)
def test_padding_changes_no_answer_of_an_rnn(
    cell: str, channels: tuple[int, ...], lengths: list[int], margin: int, seed: int
) -> None:
    """With each kind of cell, in two bidirectional layers, with and without convolutions before them."""
    assert_equal(rnn(cell, channels), mfccs(lengths, margin, seed), lengths)


@pytest.mark.parametrize("channels", CHANNELS)
@pytest.mark.parametrize(
    ("kernel", "downsampling", "blocks"), [(3, "stride", 0), (4, "stride", 1), (3, "max_pool", 2), (1, "max_pool", 0)]
)
@settings(deadline=None, max_examples=15)
@given(lengths=steps, margin=margins, seed=seeds, rubbish=st.floats(-100, 100))
def test_padding_changes_nothing_that_convolutions_make_of_a_clip(
    channels: tuple[int, ...],
    kernel: int,
    downsampling: str,
    blocks: int,
    lengths: list[int],
    margin: int,
    seed: int,
    rubbish: float,
) -> None:
    """Whatever it contains, each clip's own steps are what they are alone, and as many."""
    layers = convolutions(channels, kernel, downsampling, blocks)
    batch = mfccs(lengths, margin, seed)
    filled = batch.clone()
    for row, length in zip(filled, lengths, strict=True):
        row[:, length:] = rubbish
    with torch.inference_mode():
        made, own = layers(filled, torch.tensor(lengths))
        for row, length, steps_made, count in zip(batch, lengths, made, own.tolist(), strict=True):
            alone, _ = layers(row[None, :, :length], None)
            assert count == alone.shape[1]
            torch.testing.assert_close(steps_made[:count], alone[0], rtol=0, atol=LOGIT_TOLERANCE)


@settings(deadline=None, max_examples=40)
@given(
    lengths=steps,
    margin=margins,
    seed=seeds,
    rubbish=st.floats(-100, 100),
    top_db=st.floats(0.1, 100),
    cmn_strength=st.floats(0, 1),
)
@example(lengths=[1, 1, 29, 7], margin=0, seed=227, rubbish=0.0, top_db=1.1, cmn_strength=1.0)
def test_padding_changes_no_spectrum(
    lengths: list[int], margin: int, seed: int, rubbish: float, top_db: float, cmn_strength: float
) -> None:
    """Neither the floor under a clip nor the mean that is subtracted from it depends on what follows its own frames.

    The tolerance follows from rounding: a mean over up to 46 frames is a sum of that many levels, so its error is below
    46 units in the last place of the largest level, and the division by the deviation scales it.
    """
    first = spectrum(top_db=top_db, cmn_strength=cmn_strength).eval()
    batch = mfccs(lengths, margin, seed)
    filled = batch.clone()
    for row, length in zip(filled, lengths, strict=True):
        row[:, length:] = rubbish
    made = first(filled, torch.tensor(lengths))
    largest = torch.matmul(first.to_bands, batch).abs().amax() / first.std.amin()
    tolerance = 46 * torch.finfo(torch.float32).eps * float(largest)
    for row, length, own in zip(batch, lengths, made, strict=True):
        alone = first(row[None, :, :length], None)
        torch.testing.assert_close(own[:, :length], alone[0], rtol=0, atol=tolerance)


@pytest.mark.parametrize("cell", CELLS)
@settings(deadline=None, max_examples=25)
@given(lengths=steps, margin=margins, seed=seeds)
def test_padding_changes_no_answer_of_an_lstm(cell: str, lengths: list[int], margin: int, seed: int) -> None:
    """Nor do the tokens that stand in it."""
    draw = np.random.default_rng(seed)
    tokens = torch.from_numpy(draw.integers(0, VOCAB_SIZE, (len(lengths), max(lengths) + margin)))
    assert_equal(lstm(cell), tokens, lengths)


@settings(deadline=None, max_examples=40)
@given(lengths=st.lists(st.integers(1, 3000), min_size=1, max_size=4), margin=st.integers(0, 500), seed=seeds)
def test_padding_changes_no_mfcc(lengths: list[int], margin: int, seed: int) -> None:
    """Clips shorter than a window included: they have one frame, and what follows a clip is zero."""
    front_end = FrontEnd(front_end_params())
    batch = waveforms(lengths, margin, seed)
    mfcc, frames = front_end(batch, torch.tensor(lengths))
    for row, length, own, count in zip(batch, lengths, mfcc, frames.tolist(), strict=True):
        alone, _ = front_end(row[None, : max(length, 200)])
        assert count == alone.shape[2] == max(0, length - 200) // 80 + 1
        assert (own[:, :count] - alone[0, :, :count]).abs().max() < MFCC_TOLERANCE_DB
        assert not own[:, count:].any()


@pytest.mark.parametrize("kind", ["cnn", "rnn"])
@settings(deadline=None, max_examples=20)
@given(lengths=st.lists(st.integers(1, 3000), min_size=2, max_size=4), margin=st.integers(0, 500), seed=seeds)
@example(lengths=[53, 477], margin=43, seed=53)
def test_padding_changes_no_answer_of_a_served_graph(kind: str, lengths: list[int], margin: int, seed: int) -> None:
    """From the waveform to logits and novelty."""
    assert_equal(served(kind), waveforms(lengths, margin, seed), lengths, at_least=200)


@settings(deadline=None, max_examples=25)
@given(length=st.integers(1, 3000), seed=seeds)
def test_a_quieter_recording_has_the_same_mfcc(length: int, seed: int) -> None:
    """A hundredth of the level is scaled back to peak 1."""
    front_end = FrontEnd(front_end_params())
    clip = waveforms([length], 0, seed)
    clip = clip / clip.abs().max()
    loud, _ = front_end(clip, torch.tensor([length]))
    quiet, _ = front_end(0.01 * clip, torch.tensor([length]))
    assert (loud - quiet).abs().max() < MFCC_TOLERANCE_DB

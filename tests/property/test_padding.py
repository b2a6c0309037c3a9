"""What else is in a batch, and how long the padding is, changes no answer."""

from collections.abc import Sequence
from functools import lru_cache
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from audiomnist import params
from audiomnist.features import FrontEnd, FrontEndParams
from audiomnist.featurize import FeatureParams
from audiomnist.models.cnn import Cnn, CnnParams
from audiomnist.models.lstm import Lstm, LstmParams
from audiomnist.models.rnn import Rnn, RnnParams
from audiomnist.tensors import WithFrontEnd
from audiomnist.text import TOKENS

COMMITTED = Path(__file__).parents[2] / "params.yaml"
COEFFICIENTS = 13
# Coefficients run over hundreds of dB, in float32.
MFCC_TOLERANCE_DB = 1e-3
LOGIT_TOLERANCE = 1e-5

CNNS = [
    CnnParams(channels=(4, 6, 5), kernel=kernel, halve=halve, dropout=0.5, masked_fraction=0.5)  # type: ignore[arg-type]
    for kernel, halve in product((1, 3, 4), ("stride", "max"))
]
CELLS = ("simple", "gru", "lstm")

steps = st.lists(st.integers(1, 37), min_size=1, max_size=4)
margins = st.integers(0, 9)
seeds = st.integers(0, 2**31)


@lru_cache
def front_end_params() -> FrontEndParams:
    """Return the committed front end."""
    return params.section(COMMITTED, "features", FeatureParams)


def stirred(network: nn.Module) -> nn.Module:
    """Give a network normalisation that maps zero to something else, as a trained one has."""
    draw = torch.Generator().manual_seed(7)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            module.running_mean.normal_(generator=draw)
            module.running_var.uniform_(0.5, 2, generator=draw)
            nn.init.normal_(module.bias, generator=draw)
    return network.eval()


def statistics(coefficients: int = COEFFICIENTS) -> tuple[Tensor, Tensor]:
    """Return a mean and a deviation that make the padding anything but zero."""
    return torch.linspace(-2, 2, coefficients), torch.linspace(0.5, 2, coefficients)


@lru_cache
def cnn(index: int) -> nn.Module:
    """Return one of the convolutional networks."""
    torch.manual_seed(index)
    return stirred(Cnn(CNNS[index], *statistics()))


@lru_cache
def rnn(cell: str) -> nn.Module:
    """Return a recurrent network of two layers."""
    torch.manual_seed(0)
    how = RnnParams(cell=cell, units=(6, 5), dropout=0.5, masked_fraction=0.5)  # type: ignore[arg-type]
    return stirred(Rnn(how, *statistics()))


@lru_cache
def lstm(cell: str) -> nn.Module:
    """Return a network over tokens, of two layers."""
    torch.manual_seed(0)
    how = LstmParams(cell=cell, units=(6, 5), dropout=0.5, embedding=4)  # type: ignore[arg-type]
    return stirred(Lstm(how))


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
    batch = torch.zeros(len(lengths), max(front_end_params().window_samples, *lengths) + margin)
    for row, length in zip(batch, lengths, strict=True):
        row[:length] = torch.randn(length, generator=draw) * torch.linspace(1, 0.05, length) * 0.1
    return batch


def differences(network: nn.Module, batch: Tensor, lengths: Sequence[int], at_least: int = 1) -> Tensor:
    """Return how far each clip's logits in the batch lie from its logits alone, at the greatest."""
    with torch.inference_mode():
        together = network(batch, torch.tensor(lengths))
        alone = [
            network(row[None, ..., : max(at_least, length)], torch.tensor([length]))
            for row, length in zip(batch, lengths, strict=True)
        ]
    return torch.as_tensor((together - torch.cat(alone)).abs().amax(dim=1))


@pytest.mark.parametrize("index", range(len(CNNS)))
@settings(deadline=None, max_examples=25)
@given(lengths=steps, margin=margins, seed=seeds)
def test_padding_changes_no_answer_of_a_cnn(index: int, lengths: list[int], margin: int, seed: int) -> None:
    """With stride or pooling, odd and even kernels, odd and even lengths."""
    assert differences(cnn(index), mfccs(lengths, margin, seed), lengths).max() < LOGIT_TOLERANCE


@pytest.mark.parametrize("cell", CELLS)
@settings(deadline=None, max_examples=25)
@given(lengths=steps, margin=margins, seed=seeds)
def test_padding_changes_no_answer_of_an_rnn(cell: str, lengths: list[int], margin: int, seed: int) -> None:
    """With each kind of cell, in two bidirectional layers."""
    assert differences(rnn(cell), mfccs(lengths, margin, seed), lengths).max() < LOGIT_TOLERANCE


@pytest.mark.parametrize("cell", CELLS)
@settings(deadline=None, max_examples=25)
@given(lengths=steps, margin=margins, seed=seeds)
def test_padding_changes_no_answer_of_an_lstm(cell: str, lengths: list[int], margin: int, seed: int) -> None:
    """Nor do the tokens that stand in it."""
    draw = np.random.default_rng(seed)
    tokens = torch.from_numpy(draw.integers(0, TOKENS, (len(lengths), max(lengths) + margin)))
    assert differences(lstm(cell), tokens, lengths).max() < LOGIT_TOLERANCE


@settings(deadline=None, max_examples=40)
@given(lengths=st.lists(st.integers(1, 3000), min_size=1, max_size=4), margin=st.integers(0, 500), seed=seeds)
def test_padding_changes_no_mfcc(lengths: list[int], margin: int, seed: int) -> None:
    """Clips shorter than a window included: they have one frame, and what follows a clip is zero."""
    front_end = FrontEnd(front_end_params())
    batch = waveforms(lengths, margin, seed)
    mfcc, frames = front_end(batch, torch.tensor(lengths))
    for row, length, own, count in zip(batch, lengths, mfcc, frames.tolist(), strict=True):
        alone, (alone_count,) = front_end(row[None, : max(length, 200)], torch.tensor([length]))
        assert count == alone_count == max(0, length - 200) // 80 + 1
        assert (own[:, :count] - alone[0, :, :count]).abs().max() < MFCC_TOLERANCE_DB
        assert not own[:, count:].any()


@pytest.mark.parametrize("kind", ["cnn", "rnn"])
@settings(deadline=None, max_examples=20)
@given(lengths=st.lists(st.integers(1, 3000), min_size=2, max_size=4), margin=st.integers(0, 500), seed=seeds)
def test_padding_changes_no_answer_of_a_served_graph(kind: str, lengths: list[int], margin: int, seed: int) -> None:
    """From the waveform to the logits."""
    torch.manual_seed(0)
    mean, deviation = torch.zeros(40), torch.full((40,), 20.0)
    networks: dict[str, nn.Module] = {
        "cnn": Cnn(CnnParams(channels=(4, 6), kernel=3, halve="stride", dropout=0, masked_fraction=0), mean, deviation),
        "rnn": Rnn(RnnParams(cell="gru", units=(6,), dropout=0, masked_fraction=0), mean, deviation),
    }
    graph = WithFrontEnd(FrontEnd(front_end_params()), stirred(networks[kind])).eval()
    batch = waveforms(lengths, margin, seed)
    assert differences(graph, batch, lengths, at_least=200).max() < LOGIT_TOLERANCE


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

"""Recurrent layers over padded sequences return what PyTorch's packed sequences give."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from audiomnist.models.common.params import RecurrentParams
from audiomnist.models.common.recurrent import Recurrent

INPUTS = 3


def layers(cell: str) -> Recurrent:
    """Return two layers without dropout."""
    torch.manual_seed(0)
    return Recurrent(INPUTS, RecurrentParams.model_validate({"cell": cell, "hidden_sizes": [4, 5], "dropout": 0}))


def packed(network: Recurrent, sequence: Tensor, lengths: Tensor) -> Tensor:
    """Return the outputs for packed sequences."""
    for layer in network.layers:
        together = pack_padded_sequence(sequence, lengths, batch_first=True, enforce_sorted=False)
        sequence, _ = pad_packed_sequence(layer(together)[0], batch_first=True, total_length=sequence.shape[1])
    return sequence


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
@given(lengths=st.lists(st.integers(1, 9), min_size=1, max_size=5), padding=st.integers(0, 3))
@settings(deadline=None, max_examples=20)
def test_outputs_and_gradients_are_those_of_packed_sequences(cell: str, lengths: list[int], padding: int) -> None:
    """Whatever is in the padding, which gets zeros."""
    network = layers(cell)
    inputs = torch.randn(len(lengths), max(lengths) + padding, INPUTS)
    found, expected = inputs.clone().requires_grad_(), inputs.clone().requires_grad_()
    outputs = network(found, torch.tensor(lengths))
    reference = packed(network, expected, torch.tensor(lengths))
    torch.testing.assert_close(outputs, reference)
    outputs.square().sum().backward()
    reference.square().sum().backward()  # type: ignore[no-untyped-call]
    torch.testing.assert_close(found.grad, expected.grad)
    assert not outputs[torch.arange(inputs.shape[1]) >= torch.tensor(lengths).unsqueeze(1)].any()

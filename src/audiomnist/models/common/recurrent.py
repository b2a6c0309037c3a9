"""Recurrent layers and pooling that mask the padding of sequences; lengths are None if there is none."""

from typing import cast

import torch
from torch import Tensor, nn

from audiomnist.models.common.params import RecurrentParams

_Cell = nn.RNN | nn.GRU | nn.LSTM
_CELLS: dict[str, type[nn.RNN] | type[nn.GRU] | type[nn.LSTM]] = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}


def length_mask(lengths: Tensor, steps: int) -> Tensor:
    """Return bool `(batch, steps)`: True within each sequence's length, False in the padding."""
    return torch.arange(steps, device=lengths.device).unsqueeze(0) < lengths.unsqueeze(1)


def mean_max_pool(sequence: Tensor, lengths: Tensor | None) -> Tensor:
    """Return mean and maximum, `(batch, 2 * features)`, over the unpadded steps of `(batch, steps, features)`."""
    if lengths is None:
        return torch.cat([sequence.mean(dim=1), sequence.amax(dim=1)], dim=1)
    mask = length_mask(lengths, sequence.shape[1]).unsqueeze(2)  # (batch, steps, 1)
    mean = (sequence * mask).sum(dim=1) / lengths.unsqueeze(1).to(sequence.dtype)
    maximum = sequence.masked_fill(~mask, -1e30).amax(dim=1)
    return torch.cat([mean, maximum], dim=1)


class Recurrent(nn.Module):
    """Bidirectional recurrent layers with dropout before each and after the last."""

    def __init__(self, inputs: int, params: RecurrentParams) -> None:
        super().__init__()
        cell = _CELLS[params.cell]
        sizes = [inputs, *(2 * size for size in params.hidden_sizes)]
        self.layers = nn.ModuleList(
            cell(input_size, hidden_size, batch_first=True, bidirectional=True)
            for input_size, hidden_size in zip(sizes, params.hidden_sizes, strict=False)
        )
        self.dropout = nn.Dropout(params.dropout)
        self.features = sizes[-1]

    def forward(self, sequence: Tensor, lengths: Tensor | None) -> Tensor:
        """Return float32 `(batch, steps, 2 * hidden_size)`, zeros in the padding."""
        for layer in self.layers:
            sequence = self.dropout(sequence)
            sequence = layer(sequence)[0] if lengths is None else _padded(cast("_Cell", layer), sequence, lengths)
        dropped_out: Tensor = self.dropout(sequence)
        return dropped_out


def _padded(layer: _Cell, sequence: Tensor, lengths: Tensor) -> Tensor:
    """Return what a bidirectional layer returns for packed sequences, zeros in the padding.

    The gradients of packed sequences take PyTorch time that grows with the square of the steps on a CPU.
    """
    steps = torch.arange(sequence.shape[1], device=lengths.device)
    mask = length_mask(lengths, len(steps)).unsqueeze(2)
    backwards = (lengths.unsqueeze(1) - 1 - steps).clamp(min=0).unsqueeze(2)  # (batch, steps, 1)
    forth = _one_way(layer, sequence, "")
    back = _one_way(layer, _taken(sequence, backwards), "_reverse")
    return torch.cat([forth, _taken(back, backwards)], dim=2) * mask


def _taken(sequence: Tensor, steps: Tensor) -> Tensor:
    return sequence.gather(1, steps.expand(-1, -1, sequence.shape[2]))


def _one_way(layer: _Cell, sequence: Tensor, suffix: str) -> Tensor:
    """Return the outputs of one direction of a bidirectional layer, `(batch, steps, hidden_size)`."""
    names = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
    weights = [getattr(layer, f"{name}{suffix}") for name in names]
    state = sequence.new_zeros(1, len(sequence), layer.hidden_size)
    # Biases, number of layers, dropout, training, both directions, batch first.
    options = True, 1, 0.0, layer.training, False, True
    if isinstance(layer, nn.LSTM):
        return torch.lstm(sequence, (state, state), weights, *options)[0]
    one_way = torch.gru if isinstance(layer, nn.GRU) else torch.rnn_tanh
    return one_way(sequence, state, weights, *options)[0]

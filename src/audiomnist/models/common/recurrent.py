"""Sequences in one batch, computed so that padding changes no answer.

Where lengths are None, all sequences of a batch fill it: there is no padding, and nothing is masked.
"""

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from audiomnist.models.common.params import RecurrentParams

_CELLS: dict[str, type[nn.RNN] | type[nn.GRU] | type[nn.LSTM]] = {
    "rnn": nn.RNN,
    "gru": nn.GRU,
    "lstm": nn.LSTM,
}


def valid(lengths: Tensor, steps: int) -> Tensor:
    """Return bool `(batch, steps)`: which steps belong to the sequence, not to the padding."""
    return torch.arange(steps, device=lengths.device).unsqueeze(0) < lengths.unsqueeze(1)


def pool(sequence: Tensor, lengths: Tensor | None) -> Tensor:
    """Return mean and maximum over each sequence's own steps.

    Args:
        sequence: float32 `(batch, steps, features)`.
        lengths: int64 `(batch,)`, each at least 1; or None.

    Returns:
        float32 `(batch, 2 * features)`.
    """
    if lengths is None:
        return torch.cat([sequence.mean(dim=1), sequence.amax(dim=1)], dim=1)
    mask = valid(lengths, sequence.shape[1]).unsqueeze(2)  # (batch, steps, 1)
    mean = (sequence * mask).sum(dim=1) / lengths.unsqueeze(1).to(sequence.dtype)
    highest = sequence.masked_fill(~mask, -1e30).amax(dim=1)
    return torch.cat([mean, highest], dim=1)


class Recurrent(nn.Module):
    """Bidirectional recurrent layers, with dropout before each and after the last."""

    def __init__(self, inputs: int, params: RecurrentParams) -> None:
        super().__init__()
        cell = _CELLS[params.cell]
        sizes = [inputs, *(2 * units for units in params.hidden_sizes)]
        self.layers = nn.ModuleList(
            cell(size, units, batch_first=True, bidirectional=True)
            for size, units in zip(sizes, params.hidden_sizes, strict=False)
        )
        self.dropout = nn.Dropout(params.dropout)
        self.features = sizes[-1]

    def forward(self, sequence: Tensor, lengths: Tensor | None) -> Tensor:
        """Return float32 `(batch, steps, 2 * units)`, zeros after each sequence's end."""
        for layer in self.layers:
            sequence = _states(layer, self.dropout(sequence), lengths)
        dropped_out: Tensor = self.dropout(sequence)
        return dropped_out


def _states(layer: nn.Module, sequence: Tensor, lengths: Tensor | None) -> Tensor:
    if lengths is None:
        states: Tensor = layer(sequence)[0]
        return states
    packed = pack_padded_sequence(sequence, lengths.cpu(), batch_first=True, enforce_sorted=False)
    return pad_packed_sequence(layer(packed)[0], batch_first=True, total_length=sequence.shape[1])[0]

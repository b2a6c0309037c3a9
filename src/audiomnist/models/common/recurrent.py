"""Sequences of unequal length in one batch, computed so that padding changes no answer."""

from typing import Literal

import torch
from pydantic import Field, PositiveInt
from torch import Tensor, nn

from audiomnist.core.params import Section

_CELLS: dict[str, type[nn.RNN] | type[nn.GRU] | type[nn.LSTM]] = {
    "simple": nn.RNN,
    "gru": nn.GRU,
    "lstm": nn.LSTM,
}


class RecurrentParams(Section):
    """The recurrent layers of a network.

    Attributes:
        cell: `simple` (Elman), `gru` or `lstm`.
        units: units per direction, a layer each.
        dropout: share of the inputs of each layer, and of the last one's outputs, set to zero in training.
    """

    cell: Literal["simple", "gru", "lstm"]
    units: tuple[PositiveInt, ...] = Field(min_length=1)
    dropout: float = Field(ge=0, lt=1)


def valid(lengths: Tensor, steps: int) -> Tensor:
    """Return bool `(batch, steps)`: which steps belong to the sequence, not to the padding."""
    return torch.arange(steps, device=lengths.device).unsqueeze(0) < lengths.unsqueeze(1)


def pool(sequence: Tensor, lengths: Tensor) -> Tensor:
    """Return mean and maximum over each sequence's own steps.

    Args:
        sequence: float32 `(batch, steps, features)`.
        lengths: int64 `(batch,)`, each at least 1.

    Returns:
        float32 `(batch, 2 * features)`.
    """
    mask = valid(lengths, sequence.shape[1]).unsqueeze(2)  # (batch, steps, 1)
    mean = (sequence * mask).sum(dim=1) / lengths.unsqueeze(1).to(sequence.dtype)
    highest = sequence.masked_fill(~mask, -1e30).amax(dim=1)
    return torch.cat([mean, highest], dim=1)


class Recurrent(nn.Module):
    """Bidirectional recurrent layers: a forward pass beside one over each sequence reversed in itself."""

    def __init__(self, inputs: int, params: RecurrentParams) -> None:
        super().__init__()
        cell = _CELLS[params.cell]
        sizes = [inputs, *(2 * units for units in params.units)]
        self.forwards = nn.ModuleList(
            cell(size, units, batch_first=True) for size, units in zip(sizes, params.units, strict=False)
        )
        self.backwards = nn.ModuleList(
            cell(size, units, batch_first=True) for size, units in zip(sizes, params.units, strict=False)
        )
        self.dropout = nn.Dropout(params.dropout)
        self.features = sizes[-1]

    def forward(self, sequence: Tensor, lengths: Tensor) -> Tensor:
        """Return float32 `(batch, steps, 2 * units)`; what stands after a sequence's end is meaningless."""
        for forwards, backwards in zip(self.forwards, self.backwards, strict=True):
            dropped = self.dropout(sequence)  # (batch, steps, features)
            ahead, _ = forwards(dropped)
            back, _ = backwards(_reversed(dropped, lengths))
            sequence = torch.cat([ahead, _reversed(back, lengths)], dim=2)
        dropped_out: Tensor = self.dropout(sequence)
        return dropped_out


def _reversed(sequence: Tensor, lengths: Tensor) -> Tensor:
    """Reverse each sequence's own steps; the padding stays at the end."""
    steps = torch.arange(sequence.shape[1], device=sequence.device).unsqueeze(0)  # (1, steps)
    mirrored = lengths.unsqueeze(1) - 1 - steps
    order = torch.where(mirrored >= 0, mirrored, steps)  # (batch, steps)
    return sequence.gather(1, order.unsqueeze(2).expand(-1, -1, sequence.shape[2]))

"""Recurrent layers and pooling that mask the padding of sequences; lengths are None if there is none."""

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from audiomnist.models.common.params import RecurrentParams

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
            if lengths is None:
                sequence, _ = layer(sequence)
                continue
            packed = pack_padded_sequence(sequence, lengths.cpu(), batch_first=True, enforce_sorted=False)
            output, _ = layer(packed)
            sequence, _ = pad_packed_sequence(output, batch_first=True, total_length=sequence.shape[1])
        dropped_out: Tensor = self.dropout(sequence)
        return dropped_out

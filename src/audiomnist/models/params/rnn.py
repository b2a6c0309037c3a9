"""Section `models.rnn` of params.yaml."""

from audiomnist.models.common.params import ConvStackParams, LogMelInputParams, RecurrentParams


class RnnParams(RecurrentParams, ConvStackParams, LogMelInputParams):
    """Section `models.rnn`; without `channels` the recurrent layers read the spectrogram frame by frame."""

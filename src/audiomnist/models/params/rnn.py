"""Section `models.rnn` of params.yaml."""

from audiomnist.models.common.params import ConvolutionsParams, LogMelInputParams, RecurrentParams


class RnnParams(RecurrentParams, ConvolutionsParams, LogMelInputParams):
    """Section `models.rnn`: no `channels` leave the recurrent layers the spectra themselves."""

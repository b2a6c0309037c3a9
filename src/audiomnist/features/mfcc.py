"""The MFCC front end.

`featurize` computes the training tensors with it, and `export` puts it in front of the trained network, so that the
served model takes waveforms. PyTorch uses a fast Fourier transform. In an exported graph, window and transform are one
matrix product per frame (with windowed cosines and sines), which every ONNX runtime supports; the results differ by
less than 1e-3 dB at an `amin` of 1e-3.
"""

import math

import torch
import torchaudio
from torch import Tensor, nn
from torch.nn import functional

from audiomnist.features.front_end import FrontEndParams

_DB_PER_NEPER_OF_POWER = 10 / math.log(10)


class FrontEnd(nn.Module):
    """MFCCs of waveforms; those of a clip do not depend on the rest of the batch.

    In a spectrum, the real and imaginary parts of the frequencies alternate; only their squares are used.

    Attributes:
        window: float32 `(n_fft,)`: Hann window, then zeros.
        fourier: float32 `(2 * bins, win_length)`: windowed cosine and sine of each frequency, alternating.
        mel: float32 `(2 * bins, n_mels)`: filter weights, for the squares of a spectrum.
        dct: float32 `(n_mfcc, n_mels)`: the orthonormal DCT-II.
    """

    def __init__(self, params: FrontEndParams) -> None:
        super().__init__()
        self.win_length = params.win_length
        self.hop_length = params.hop_length
        self.n_fft = params.n_fft
        self.amin = params.amin
        bins = params.n_fft // 2 + 1
        window = torch.hann_window(params.win_length, periodic=True, dtype=torch.float64)
        beyond = params.n_fft - params.win_length
        self.window = nn.Buffer(functional.pad(window, (0, beyond)).float())
        frequencies, samples = (torch.arange(count, dtype=torch.float64) for count in (bins, params.win_length))
        angle = 2 * torch.pi / params.n_fft * frequencies[:, None] * samples
        fourier = torch.stack([angle.cos(), angle.sin()], dim=1).flatten(0, 1) * window
        self.fourier = nn.Buffer(fourier.float())
        mel = torchaudio.functional.melscale_fbanks(
            bins, params.f_min, params.f_max, params.n_mels, params.sample_rate_hz
        )
        self.mel = nn.Buffer(mel.repeat_interleave(2, dim=0))
        dct = torchaudio.functional.create_dct(params.n_mfcc, params.n_mels, norm="ortho")
        self.dct = nn.Buffer(dct.T.contiguous())

    def forward(self, waveforms: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """Return MFCCs, and the number of frames of each clip.

        Args:
            waveforms: float32 `(batch, samples)` in [-1, 1], zeros after the end of each clip, at least one window.
            lengths: int64 `(batch,)`, samples of each clip; None if all have as many frames as the batch.

        Returns:
            float32 `(batch, coefficients, frames)`: the orthonormal DCT-II of the mel powers in dB, of the clip scaled
            to peak 1, zeros after its last frame; and int64 `(batch,)` frames, None without lengths.
        """
        peaks = waveforms.abs().amax(dim=1, keepdim=True).clamp(min=1e-5)  # (batch, 1)
        spectrum = self._spectrum(waveforms / peaks)  # (batch, frames, 2 * bins)
        mel = torch.matmul(spectrum.square(), self.mel)  # (batch, frames, n_mels)
        decibels = mel.clamp(min=self.amin).log() * _DB_PER_NEPER_OF_POWER
        mfcc = torch.matmul(self.dct, decibels.transpose(1, 2))  # (batch, coefficients, frames)
        if lengths is None:
            return mfcc, None
        frames = self.frames(lengths)
        mask = torch.arange(mfcc.shape[2], device=mfcc.device).unsqueeze(0) < frames.unsqueeze(1)
        return mfcc * mask.unsqueeze(1).to(mfcc.dtype), frames

    def _spectrum(self, scaled: Tensor) -> Tensor:
        if torch.onnx.is_in_onnx_export():
            return torch.matmul(self._overlapping(scaled), self.fourier.T)
        padded = functional.pad(scaled, (0, self.n_fft - self.win_length))
        frames = padded.unfold(1, self.n_fft, self.hop_length)  # (batch, frames, n_fft)
        return torch.view_as_real(torch.fft.rfft(frames * self.window)).flatten(2)

    def _overlapping(self, samples: Tensor) -> Tensor:
        """Return frames `(batch, frames, win_length)` of samples `(batch, samples)`, joined from slices of hops."""
        window, hop = self.win_length, self.hop_length
        hops = -(-window // hop)
        frames = (samples.shape[1] - window) // hop + 1
        whole = functional.pad(samples, (0, hop))[:, : (frames + hops - 1) * hop]
        pieces = whole.reshape(samples.shape[0], -1, hop)  # (batch, frames + hops - 1, hop)
        slices = [pieces[:, first : first + frames, : window - first * hop] for first in range(hops)]
        return torch.cat(slices, dim=2)

    def frames(self, lengths: Tensor) -> Tensor:
        """Return the number of whole windows in clips of `lengths` samples; a shorter clip has one frame."""
        return (lengths - self.win_length).clamp(min=0) // self.hop_length + 1

"""MFCC features: the one front end.

The front end runs in two places: `featurize` computes the versioned tensors with it, and `export` puts it in front of
the trained network, so that a model in service takes waveforms. PyTorch transforms frames by a fast Fourier transform.
In an exported graph windowing and transform are one matrix product per frame (a convolution with windowed cosines
and sines), because that is what every ONNX runtime can run; the two differ by less
than 1e-3 dB where `power_floor` is 1e-3.
"""

import torch
import torchaudio
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional

from audiomnist.core.params import Section


class FrontEndParams(Section):
    """What turns a waveform into MFCCs.

    Attributes:
        sample_rate_hz: rate that every recording is brought to.
        window_samples: length of the Hann window, one frame.
        hop_samples: distance between the starts of two frames.
        fft_samples: length of the Fourier transform, at least the window's.
        mel_bands: triangular filters on HTK's mel scale.
        low_hz: lower edge of the first filter.
        high_hz: upper edge of the last filter, at most half the sample rate.
        coefficients: cepstral coefficients kept, at most `mel_bands`.
        power_floor: mel power below which everything counts as silence, for a clip of peak 1.
        trim_db: how far below the loudest frame both ends count as silence.
        max_duration_s: of what is longer after trimming, the loudest stretch of this length is taken.
    """

    sample_rate_hz: int = Field(ge=4000, le=192_000)
    window_samples: int = Field(ge=2)
    hop_samples: int = Field(ge=1)
    fft_samples: int = Field(ge=2)
    mel_bands: int = Field(ge=1)
    low_hz: float = Field(ge=0)
    high_hz: float = Field(gt=0)
    coefficients: int = Field(ge=1)
    power_floor: float = Field(gt=0)
    trim_db: float = Field(gt=0)
    max_duration_s: float = Field(gt=0)

    @model_validator(mode="after")
    def _consistent(self) -> "FrontEndParams":
        demands = {
            "fft_samples must be at least window_samples": self.fft_samples >= self.window_samples,
            "low_hz < high_hz <= sample_rate_hz / 2 must hold": self.low_hz < self.high_hz <= self.sample_rate_hz / 2,
            "coefficients must be at most mel_bands": self.coefficients <= self.mel_bands,
            "max_duration_s must be at least window_samples long": self.max_samples >= self.window_samples,
        }
        if not all(demands.values()):
            raise ValueError("; ".join(demand for demand, is_met in demands.items() if not is_met))
        return self

    @property
    def max_samples(self) -> int:
        """`max_duration_s` in samples."""
        return round(self.max_duration_s * self.sample_rate_hz)


class FrontEnd(nn.Module):
    """Waveforms to MFCCs, each clip for itself: what else is in the batch changes nothing.

    A spectrum has real and imaginary part of each frequency, alternating; only their squares matter, not their signs.

    Attributes:
        window: float32 `(fft_samples,)`: Hann's, then zeros.
        fourier: float32 `(2 * bins, window_samples)`: windowed cosine and sine of each frequency, alternating.
        mel: float32 `(2 * bins, mel_bands)`: the filters' weights, for the squares of a spectrum.
        dct: float32 `(coefficients, mel_bands)`: the orthonormal DCT-II.
    """

    window: Tensor
    fourier: Tensor
    mel: Tensor
    dct: Tensor

    def __init__(self, params: FrontEndParams) -> None:
        super().__init__()
        self.window_samples = params.window_samples
        self.hop_samples = params.hop_samples
        self.fft_samples = params.fft_samples
        self.power_floor = params.power_floor
        bins = params.fft_samples // 2 + 1
        window = torch.hann_window(params.window_samples, periodic=True, dtype=torch.float64)
        beyond = params.fft_samples - params.window_samples
        self.register_buffer("window", functional.pad(window, (0, beyond)).float())
        self.register_buffer("fourier", _fourier_rows(window, params.fft_samples))
        mel = torchaudio.functional.melscale_fbanks(
            bins, params.low_hz, params.high_hz, params.mel_bands, params.sample_rate_hz
        )
        self.register_buffer("mel", mel.repeat_interleave(2, dim=0))
        dct = torchaudio.functional.create_dct(params.coefficients, params.mel_bands, norm="ortho")
        self.register_buffer("dct", dct.T.contiguous())

    def forward(self, waveforms: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """Return MFCCs and how many frames of each clip are its own.

        Args:
            waveforms: float32 `(batch, samples)` in [-1, 1], zeros after each clip's end; `samples` is at
                least one window.
            lengths: int64 `(batch,)`, samples of each clip; None where all have as many frames as the batch.

        Returns:
            float32 `(batch, coefficients, frames)`: the orthonormal DCT-II of the mel powers in dB, of the
            clip scaled to peak 1, zeros after its last frame; and int64 `(batch,)` frames, None without lengths.
        """
        peaks = waveforms.abs().amax(dim=1, keepdim=True).clamp(min=1e-5)  # (batch, 1)
        spectrum = self._spectrum(waveforms / peaks)  # (batch, frames, 2 * bins)
        mel = torch.matmul(spectrum.square(), self.mel)  # (batch, frames, mel_bands)
        decibels = mel.clamp(min=self.power_floor).log10() * 10.0
        mfcc = torch.matmul(self.dct, decibels.transpose(1, 2))  # (batch, coefficients, frames)
        if lengths is None:
            return mfcc, None
        frames = self.frames(lengths)
        mask = torch.arange(mfcc.shape[2], device=mfcc.device).unsqueeze(0) < frames.unsqueeze(1)
        return mfcc * mask.unsqueeze(1).to(mfcc.dtype), frames

    def _spectrum(self, scaled: Tensor) -> Tensor:
        if torch.onnx.is_in_onnx_export():
            return torch.matmul(self._overlapping(scaled), self.fourier.T)
        padded = functional.pad(scaled, (0, self.fft_samples - self.window_samples))
        frames = padded.unfold(1, self.fft_samples, self.hop_samples)  # (batch, frames, fft_samples)
        return torch.view_as_real(torch.fft.rfft(frames * self.window)).flatten(2)

    def _overlapping(self, samples: Tensor) -> Tensor:
        """Return frames `(batch, frames, window_samples)` of samples `(batch, samples)`, as slices of whole hops."""
        window, hop = self.window_samples, self.hop_samples
        hops = -(-window // hop)
        frames = (samples.shape[1] - window) // hop + 1
        whole = functional.pad(samples, (0, hop))[:, : (frames + hops - 1) * hop]
        pieces = whole.reshape(samples.shape[0], -1, hop)  # (batch, frames + hops - 1, hop)
        parts = [pieces[:, first : first + frames, : window - first * hop] for first in range(hops)]
        return torch.cat(parts, dim=2)

    def frames(self, lengths: Tensor) -> Tensor:
        """Return how many whole windows fit; a clip shorter than a window has one frame."""
        return (lengths - self.window_samples).clamp(min=0) // self.hop_samples + 1


def _fourier_rows(window: Tensor, fft_samples: int) -> Tensor:
    """Return float32 `(2 * bins, window_samples)`: windowed cosine and sine of each frequency, alternating."""
    bins = torch.arange(fft_samples // 2 + 1, dtype=torch.float64)
    angle = 2 * torch.pi / fft_samples * bins[:, None] * torch.arange(len(window), dtype=torch.float64)
    return (torch.stack([angle.cos(), angle.sin()], dim=1).flatten(0, 1) * window).float()

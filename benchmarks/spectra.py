"""MFCCs by the libraries that a user would otherwise take, with the settings of the front end.

Both centre a window that is shorter than its transform; a margin around the sound lets them meet the front end's
frames.
"""

from typing import Any

import librosa
import numpy as np
import torch
import torchaudio
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from audiomnist.audio.waveform import Samples
from audiomnist.features.mfcc import FrontEndParams

_LEAST_PEAK = 1e-5


def by_librosa(samples: Samples, params: FrontEndParams) -> NDArray[np.float32]:
    """Return float32 `(coefficients, frames)` of one clip `(samples,)`, scaled to peak 1."""
    margin = (params.fft_samples - params.window_samples) // 2
    missing = max(0, params.window_samples - len(samples))
    scaled = samples / max(float(np.abs(samples).max()), _LEAST_PEAK)
    mel = librosa.feature.melspectrogram(
        y=np.pad(scaled, (margin, margin + missing)),
        sr=params.sample_rate_hz,
        n_fft=params.fft_samples,
        win_length=params.window_samples,
        hop_length=params.hop_samples,
        center=False,
        n_mels=params.mel_bands,
        fmin=params.low_hz,
        fmax=params.high_hz,
        htk=True,
        norm=None,
    )
    decibels = librosa.power_to_db(mel, ref=1.0, amin=params.power_floor, top_db=None)
    return np.asarray(librosa.feature.mfcc(S=decibels, n_mfcc=params.coefficients, norm="ortho"), dtype=np.float32)


class ByTorchaudio:
    """torchaudio's transform, made once."""

    def __init__(self, params: FrontEndParams) -> None:
        """Make it with these settings; what it does not take as an argument is set afterwards."""
        self.params = params
        mel: dict[str, Any] = {
            "n_fft": params.fft_samples,
            "win_length": params.window_samples,
            "hop_length": params.hop_samples,
            "center": False,
            "n_mels": params.mel_bands,
            "f_min": params.low_hz,
            "f_max": params.high_hz,
        }
        self.transform = torchaudio.transforms.MFCC(params.sample_rate_hz, params.coefficients, melkwargs=mel)
        self.transform.amplitude_to_DB.top_db = None
        self.transform.amplitude_to_DB.amin = params.power_floor

    def __call__(self, waveforms: Tensor) -> Tensor:
        """Return float32 `(..., coefficients, frames)` of clips `(..., samples)`, each scaled to peak 1."""
        margin = (self.params.fft_samples - self.params.window_samples) // 2
        missing = max(0, self.params.window_samples - waveforms.shape[-1])
        scaled = waveforms / waveforms.abs().amax(dim=-1, keepdim=True).clamp(min=_LEAST_PEAK)
        mfcc: Tensor = self.transform(functional.pad(scaled, (margin, margin + missing)))
        return mfcc


def frames(lengths: Tensor, params: FrontEndParams) -> Tensor:
    """Return how many frames of a batch are each clip's own, int64 `(batch,)`, of its samples `(batch,)`."""
    return torch.clamp(lengths - params.window_samples, min=0) // params.hop_samples + 1

"""The front end beside the two libraries that everyone trusts, and beside its own recorded answer."""

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from audiomnist.features.front_end import FrontEndParams
from audiomnist.features.mfcc import FrontEnd
from benchmarks import spectra

PARAMS = FrontEndParams(
    sample_rate_hz=8000,
    win_length=200,
    hop_length=80,
    n_fft=256,
    n_mels=40,
    f_min=20.0,
    f_max=4000.0,
    n_mfcc=40,
    amin=1e-3,
    trim_top_db=40.0,
    max_duration_s=1.0,
)
GOLDEN = Path(__file__).with_name("mfcc.npz")

# Coefficients run over hundreds of dB; float32 sums in another order account for this much of them.
LIBROSA_TOLERANCE_DB = 1e-3
TORCHAUDIO_TOLERANCE_DB = 1e-3
GOLDEN_TOLERANCE_DB = 2e-3


def speech(samples: int, pitch_hz: float = 120.0) -> NDArray[np.float32]:
    """Return a vowel that glides, with breath and a silent end, of peak 1: float32 `(samples,)` at 8 kHz."""
    draw = np.random.default_rng(samples)
    time_s = np.arange(samples) / 8000
    phase = 2 * np.pi * np.cumsum(pitch_hz * (1 + 0.3 * time_s)) / 8000
    formants_hz = np.array([[700, 1200, 2600]]) + np.array([[-600, 900, 100]]) * time_s[:, None]
    sound = draw.normal(0, 0.02, samples)
    for harmonic in range(1, int(3600 / pitch_hz / 1.6)):
        distance_hz = harmonic * pitch_hz - formants_hz
        sound += np.sin(harmonic * phase) * (1 / (1 + (distance_hz / 120) ** 2)).sum(axis=1)
    sound[round(0.9 * samples) :] = 0
    return np.asarray(sound / np.abs(sound).max(), dtype=np.float32)


def ours(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the front end's MFCCs `(coefficients, frames)`."""
    with torch.inference_mode():
        mfcc, frames = FrontEnd(PARAMS)(torch.from_numpy(samples)[None], torch.tensor([len(samples)]))
    assert mfcc.shape[2] == frames[0]
    return np.asarray(mfcc[0].numpy())


@pytest.mark.parametrize("samples", [200, 279, 280, 1234, 4000, 8000])
def test_mfccs_are_those_of_librosa(samples: int) -> None:
    """For clips of any length, frame for frame."""
    sound = speech(samples)
    np.testing.assert_allclose(ours(sound), spectra.by_librosa(sound, PARAMS), rtol=0, atol=LIBROSA_TOLERANCE_DB)


@pytest.mark.parametrize("samples", [200, 279, 280, 1234, 4000, 8000])
def test_mfccs_are_those_of_torchaudio(samples: int) -> None:
    """For clips of any length, frame for frame."""
    sound = speech(samples)
    np.testing.assert_allclose(
        ours(sound), spectra.ByTorchaudio(PARAMS)(torch.from_numpy(sound)).numpy(), rtol=0, atol=TORCHAUDIO_TOLERANCE_DB
    )


def test_mfccs_of_a_chirp_are_those_that_were_recorded() -> None:
    """A change of the arithmetic, in a library or here, does not go unseen."""
    time_s = np.arange(2000) / 8000
    chirp = np.sin(2 * np.pi * (200 * time_s + 6000 * time_s**2)).astype(np.float32)
    with np.load(GOLDEN, allow_pickle=False) as golden:
        expected, coefficients, frames = golden["mfcc_db"], golden["coefficients"], golden["frames"]
    np.testing.assert_allclose(ours(chirp)[np.ix_(coefficients, frames)], expected, rtol=0, atol=GOLDEN_TOLERANCE_DB)


@pytest.mark.parametrize(("window", "fft", "hop"), [(200, 256, 80), (256, 256, 80), (200, 255, 80), (201, 201, 300)])
def test_the_fast_transform_gives_what_the_exported_product_of_matrices_gives(
    window: int, fft: int, hop: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the window fills the transform, its length is odd, or there are gaps between frames."""
    how = {"win_length": window, "n_fft": fft, "hop_length": hop}
    front_end = FrontEnd(PARAMS.model_copy(update=how))
    sounds = torch.from_numpy(np.stack([speech(4000), np.ones(4000, dtype=np.float32)]))
    lengths = torch.tensor([4000, 4000])
    fast, frames = front_end(sounds, lengths)
    monkeypatch.setattr(torch.onnx, "is_in_onnx_export", lambda: True)
    exported, _ = front_end(sounds, lengths)
    assert fast.shape == exported.shape == (2, PARAMS.n_mfcc, int(frames[0]))
    np.testing.assert_allclose(fast.numpy(), exported.numpy(), rtol=0, atol=1e-3)


def test_silence_lies_on_the_floor() -> None:
    """Zeros give the floor in every band, so that only the first coefficient is not zero."""
    mfcc = ours(np.zeros(400, dtype=np.float32))
    np.testing.assert_allclose(mfcc[0], 10 * np.log10(PARAMS.amin) * np.sqrt(PARAMS.n_mels), rtol=1e-5)
    np.testing.assert_allclose(mfcc[1:], 0, atol=1e-3)

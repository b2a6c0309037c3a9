"""MFCCs of the corpus, from samples in memory, on one thread: the front end and the served graph beside two libraries.

librosa and torchaudio centre a window that is shorter than its transform; a margin around the clip gives them the
frames of the front end.
"""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import librosa
import numpy as np
import onnx
import torch
import torchaudio
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from audiomnist.audio import waveform
from audiomnist.audio.waveform import Samples
from audiomnist.features.front_end import FrontEndParams
from audiomnist.features.mfcc import FrontEnd
from audiomnist.serving import batching
from audiomnist.serving.bundle.description import GRAPH, Description, WaveformInput, describe
from audiomnist.serving.bundle.session import session
from benchmarks.rounds import BenchmarkError, Setting, interleaved, summary, timed, with_ratios

_LEAST_PEAK = 1e-5
_PEERS = ("librosa", "torchaudio")

Spectra = Callable[[Samples], NDArray[np.float32]]


def measure(setting: Setting) -> dict[str, Any]:
    """Return clips per second, ratios, and by how many dB the served graph's rounding changes an MFCC on average."""
    params = front_end_params(describe(setting.model)[0])
    sounds = [waveform.read(path) for path in setting.recordings[: setting.size(len(setting.recordings), 20)]]
    clips = [waveform.prepare(sound, params.sample_rate_hz, params.trim_top_db, params.max_samples) for sound in sounds]
    exact, rounded, by_torchaudio = by_front_end(params), by_graph(setting.model), ByTorchaudio(params)
    ways: dict[str, Callable[[], object]] = {
        "clips_per_s": lambda: in_batches(exact, clips, params),
        "rounded_clips_per_s": lambda: in_batches(rounded, clips, params),
        "librosa_clips_per_s": lambda: [by_librosa(clip, params) for clip in clips],
        "torchaudio_clips_per_s": lambda: [by_torchaudio(torch.from_numpy(clip)) for clip in clips],
    }
    measures = [partial(timed, name, way, len(clips)) for name, way in ways.items()]
    for take in measures:
        take()
    rounds = interleaved(measures, setting.repetitions, "mfcc")
    for ours in ("", "rounded_"):
        rounds = [with_ratios(values, "clips_per_s", _PEERS, ours) for values in rounds]
    return {
        "threads": 1,
        "clips": len(clips),
        "batch_size": batching.BATCH_CLIPS,
        "rounding_db": float(np.abs(in_batches(rounded, clips, params) - in_batches(exact, clips, params)).mean()),
        **summary(rounds),
    }


def front_end_params(description: Description) -> FrontEndParams:
    """Return the settings of a bundle's MFCCs; raises BenchmarkError if it takes transcripts."""
    if not isinstance(description.input, WaveformInput):
        raise BenchmarkError("a model over transcripts takes no MFCCs: --model names another bundle")
    return FrontEndParams.model_validate(description.input.front_end)


def in_batches(spectra: Spectra, clips: Sequence[Samples], params: FrontEndParams) -> NDArray[np.float32]:
    """Return MFCCs `(coefficients, frames of all clips)`, made in batches of clips of equally many frames."""
    batches = batching.batches(clips, params.win_length, params.hop_length)
    return np.concatenate([np.hstack([*spectra(waveforms)]) for _, waveforms in batches], axis=1)


def by_front_end(params: FrontEndParams) -> Spectra:
    """Return the front end as a function of waveforms `(batch, samples)`."""
    front_end = FrontEnd(params)
    return torch.inference_mode()(lambda waveforms: front_end(torch.from_numpy(waveforms))[0].numpy())


def by_graph(bundle: Path) -> Spectra:
    """Return the part of a served graph up to the DCT as a function of waveforms `(batch, samples)`."""
    graph = onnx.load(bundle / GRAPH)
    dct = next(node for node in graph.graph.node if "front_end.dct" in node.input)
    part = onnx.utils.Extractor(graph).extract_model(["inputs"], [dct.output[0]])
    opened = session(part.SerializeToString(), threads=1)
    return lambda waveforms: np.asarray(opened.run(None, {"inputs": waveforms})[0])


def by_librosa(samples: Samples, params: FrontEndParams) -> NDArray[np.float32]:
    """Return float32 `(coefficients, frames)` of one clip `(samples,)`, scaled to peak 1."""
    margin = (params.n_fft - params.win_length) // 2
    missing = max(0, params.win_length - len(samples))
    scaled = samples / max(float(np.abs(samples).max()), _LEAST_PEAK)
    mel = librosa.feature.melspectrogram(
        y=np.pad(scaled, (margin, margin + missing)),
        sr=params.sample_rate_hz,
        n_fft=params.n_fft,
        win_length=params.win_length,
        hop_length=params.hop_length,
        center=False,
        n_mels=params.n_mels,
        fmin=params.f_min,
        fmax=params.f_max,
        htk=True,
        norm=None,
    )
    decibels = librosa.power_to_db(mel, ref=1.0, amin=params.amin, top_db=None)
    return np.asarray(librosa.feature.mfcc(S=decibels, n_mfcc=params.n_mfcc, norm="ortho"), dtype=np.float32)


class ByTorchaudio:
    """torchaudio's transform, made once."""

    def __init__(self, params: FrontEndParams) -> None:
        self.params = params
        mel: dict[str, Any] = {
            "n_fft": params.n_fft,
            "win_length": params.win_length,
            "hop_length": params.hop_length,
            "center": False,
            "n_mels": params.n_mels,
            "f_min": params.f_min,
            "f_max": params.f_max,
        }
        self.transform = torchaudio.transforms.MFCC(params.sample_rate_hz, params.n_mfcc, melkwargs=mel)
        self.transform.amplitude_to_DB.top_db = None
        self.transform.amplitude_to_DB.amin = params.amin

    def __call__(self, waveforms: Tensor) -> Tensor:
        """Return float32 `(..., coefficients, frames)` of clips `(..., samples)`, each scaled to peak 1."""
        margin = (self.params.n_fft - self.params.win_length) // 2
        missing = max(0, self.params.win_length - waveforms.shape[-1])
        scaled = waveforms / waveforms.abs().amax(dim=-1, keepdim=True).clamp(min=_LEAST_PEAK)
        mfcc: Tensor = self.transform(functional.pad(scaled, (margin, margin + missing)))
        return mfcc


def frames(lengths: Tensor, params: FrontEndParams) -> Tensor:
    """Return how many frames of a batch are each clip's own, int64 `(batch,)`, of its samples `(batch,)`."""
    return torch.clamp(lengths - params.win_length, min=0) // params.hop_length + 1

"""MFCCs of the whole corpus, from sound in memory, on one thread: the front end beside librosa and torchaudio."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from functools import partial
from typing import Any

import torch

from audiomnist.audio import waveform
from audiomnist.audio.waveform import Samples
from audiomnist.core.params import section
from audiomnist.core.processes import pool
from audiomnist.features.extract import FeatureParams
from audiomnist.features.mfcc import FrontEnd, FrontEndParams
from audiomnist.serving import batching
from benchmarks import figures, spectra
from benchmarks.figures import Round
from benchmarks.material import Setting

_FEW_CLIPS = 20

_PEERS = ("librosa", "torchaudio")
_RATIOS = {f"ratio_to_{peer}": ("clips_per_s", f"{peer}_clips_per_s") for peer in _PEERS}

_works: dict[str, Callable[[], object]] = {}


def measure(setting: Setting) -> dict[str, Any]:
    """Return clips per second of the pipeline's front end and of the peers, and ratios; reading is done before."""
    params = section(setting.parameters, "features", FeatureParams).front_end
    clips = setting.size(len(setting.recordings), _FEW_CLIPS)
    sounds = [waveform.read(path) for path in setting.recordings[:clips]]
    samples = [waveform.prepare(sound, params.sample_rate_hz, params.trim_db, params.max_samples) for sound in sounds]
    with pool(1, _start, samples, params) as process:
        names = ("clips_per_s", *(f"{peer}_clips_per_s" for peer in _PEERS))
        for name in names:  # for what each makes when it is first asked
            process.submit(_clips_per_s, name, clips).result()
        measures = [partial(_timed, process, name, clips) for name in names]
        rounds = figures.interleaved(measures, setting.repetitions, "mfcc", setting.console)
    return {
        "threads": 1,
        "clips": clips,
        "batch_clips": batching.BATCH_CLIPS,
        **figures.told([figures.with_ratios(found, _RATIOS) for found in rounds]),
    }


def in_batches(front_end: FrontEnd, samples: Sequence[Samples]) -> list[torch.Tensor]:
    """Return MFCCs in batches of clips of like length, float32 `(batch, coefficients, frames)` each."""
    ordered = sorted(samples, key=len)
    starts = range(0, len(ordered), batching.BATCH_CLIPS)
    batches = [
        waveform.pad(ordered[start : start + batching.BATCH_CLIPS], front_end.window_samples) for start in starts
    ]
    return [front_end(torch.from_numpy(batch), torch.from_numpy(lengths))[0] for batch, lengths in batches]


def _start(samples: Sequence[Samples], params: FrontEndParams) -> None:
    torch.set_num_threads(1)
    front_end, transform = FrontEnd(params), spectra.ByTorchaudio(params)
    _works["clips_per_s"] = lambda: in_batches(front_end, samples)
    _works["librosa_clips_per_s"] = lambda: [spectra.by_librosa(clip, params) for clip in samples]
    _works["torchaudio_clips_per_s"] = lambda: [transform(torch.from_numpy(clip)) for clip in samples]
    spectra.by_librosa(samples[0], params)


def _timed(process: Executor, name: str, clips: int) -> Round:
    return {name: process.submit(_clips_per_s, name, clips).result()}


def _clips_per_s(name: str, clips: int) -> float:
    start = time.perf_counter()
    with torch.inference_mode():
        _works[name]()
    return clips / (time.perf_counter() - start)

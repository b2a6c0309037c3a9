"""MFCCs of the whole corpus, from sound in memory, on one thread: the front end beside librosa and torchaudio."""

import math
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from audiomnist.audio import waveform
from audiomnist.audio.waveform import Samples
from audiomnist.core.params import section
from audiomnist.core.processes import pool
from audiomnist.export import frontend as sound
from audiomnist.export.graph import Graph
from audiomnist.features.extract import FeatureParams
from audiomnist.features.mfcc import FrontEnd, FrontEndParams
from audiomnist.serving import batching
from audiomnist.serving.bundle.session import session
from benchmarks import figures, spectra
from benchmarks.figures import Round
from benchmarks.material import Setting

_FEW_CLIPS = 20
_COMPARED = 300

_OURS = ("clips_per_s", "compiled_clips_per_s", "rounded_clips_per_s")
_PEERS = ("librosa", "torchaudio")
_RATIOS = {
    f"{ours.removesuffix('clips_per_s')}ratio_to_{peer}": (ours, f"{peer}_clips_per_s")
    for ours in _OURS
    for peer in _PEERS
}

_works: dict[str, Callable[[], object]] = {}


def measure(setting: Setting) -> dict[str, Any]:
    """Return clips per second and ratios; reading and trimming is done before.

    They are those of the pipeline's front end (`clips_per_s`), of the same compiled as the served graph has it, in
    float32 (`compiled_`) and with its rounding to 8 bits (`rounded_`), and of the peers.
    """
    params = section(setting.parameters, "features", FeatureParams).front_end
    clips = setting.size(len(setting.recordings), _FEW_CLIPS)
    sounds = [waveform.read(path) for path in setting.recordings[:clips]]
    samples = [waveform.prepare(sound, params.sample_rate_hz, params.trim_db, params.max_samples) for sound in sounds]
    with pool(1, _start, samples, params) as process:
        names = (*_OURS, *(f"{peer}_clips_per_s" for peer in _PEERS))
        for name in names:  # for what each makes when it is first asked
            process.submit(_clips_per_s, name, clips).result()
        measures = [partial(_timed, process, name, clips) for name in names]
        rounds = figures.interleaved(measures, setting.repetitions, "mfcc", setting.console)
    return {
        "threads": 1,
        "clips": clips,
        "batch_clips": batching.BATCH_CLIPS,
        "rounding_db": rounding_db(samples[:_COMPARED], params),
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


def compiled(params: FrontEndParams, *, exactly: bool) -> Any:
    """Return a session that gives MFCCs `(batch, frames, coefficients)` by the nodes of the served graph."""
    graph, dct = Graph(), FrontEnd(params).dct.numpy()
    powers = sound.powers(graph, "inputs", params, exactly=exactly)
    logarithms = graph.add("Log", graph.add("Max", powers, np.float32(params.power_floor)))
    mfcc = graph.add("MatMul", graph.add("Mul", logarithms, np.float32(10 / math.log(10))), dct.T)
    axes = ["batch", "frames", params.coefficients]
    return session(graph.model({"inputs": ["batch", "samples"]}, {"mfcc": (mfcc, axes)}).SerializeToString(), threads=1)


def by_session(opened: Any, samples: Sequence[Samples], params: FrontEndParams) -> list[NDArray[np.float32]]:
    """Return MFCCs in batches of clips that have equally many frames."""
    batches = batching.batches(samples, params.window_samples, params.hop_samples)
    return [opened.run(["mfcc"], {"inputs": waveforms})[0] for _, waveforms in batches]


def rounding_db(samples: Sequence[Samples], params: FrontEndParams) -> float:
    """Return by how much rounding to 8 bits changes an MFCC, in the mean."""
    exact, rounded = (by_session(compiled(params, exactly=exactly), samples, params) for exactly in (True, False))
    differences = [np.abs(one - other).ravel() for one, other in zip(exact, rounded, strict=True)]
    return float(np.concatenate(differences).mean())


def _start(samples: Sequence[Samples], params: FrontEndParams) -> None:
    torch.set_num_threads(1)
    front_end, transform = FrontEnd(params), spectra.ByTorchaudio(params)
    _works["clips_per_s"] = lambda: in_batches(front_end, samples)
    for name, exactly in (("compiled_clips_per_s", True), ("rounded_clips_per_s", False)):
        _works[name] = partial(by_session, compiled(params, exactly=exactly), samples, params)
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

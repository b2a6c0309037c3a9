"""Networks as params.yaml describes them, with random weights: they take as long as trained ones."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from audiomnist.audio import waveform
from audiomnist.core.params import section
from audiomnist.features.extract import FeatureParams
from audiomnist.features.mfcc import FrontEnd, FrontEndParams
from audiomnist.models.common.registry import architecture
from audiomnist.serving.bundle.description import Description
from benchmarks.peers import Peer


def untrained(model: str, parameters: Path, recordings: Sequence[Path]) -> Peer:
    """Return a network over MFCCs, its inputs scaled by the statistics of some recordings."""
    chosen = architecture(model)
    front_end = section(parameters, "features", FeatureParams).front_end
    torch.manual_seed(0)
    how = section(parameters, f"models.{model}", chosen.params)
    network = chosen.build(how, {"front_end": front_end.model_dump()})
    network.scale_by(*_mfccs(front_end, recordings))
    return Peer(network.eval(), front_end)


def is_served(description: Description, parameters: Path) -> bool:
    """Return whether the network of a bundle is the one that params.yaml describes."""
    how = section(parameters, f"models.{description.model}", architecture(description.model).params)
    return description.parameters.get("model") == how.model_dump(mode="json")


def _mfccs(how: FrontEndParams, recordings: Sequence[Path]) -> tuple[Tensor, Tensor]:
    """Return MFCCs `(recordings, coefficients, frames)` and frames `(recordings,)`."""
    sounds = [waveform.read(path) for path in recordings]
    samples = [waveform.prepare(sound, how.sample_rate_hz, how.trim_db, how.max_samples) for sound in sounds]
    waveforms, lengths = waveform.pad(samples, at_least=how.window_samples)
    with torch.no_grad():
        mfcc, frames = FrontEnd(how)(torch.from_numpy(waveforms), torch.from_numpy(lengths))
    return mfcc, frames

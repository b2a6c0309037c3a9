"""Networks as params.yaml describes them, with random weights: they take as long as trained ones."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from audiomnist.audio import waveform
from audiomnist.core.params import section
from audiomnist.features.extract import FeatureParams
from audiomnist.features.mfcc import FrontEnd, FrontEndParams
from audiomnist.serving.bundle.description import Description
from audiomnist.training.registry import architecture
from benchmarks.peers import Peer


def untrained(model: str, parameters: Path, recordings: Sequence[Path]) -> Peer:
    """Return a network over MFCCs, its inputs scaled by the statistics of some recordings."""
    chosen = architecture(model)
    front_end = section(parameters, "features", FeatureParams).front_end
    torch.manual_seed(0)
    how = section(parameters, f"models.{model}", chosen.params)
    network = chosen.build(how, _Heard(front_end), [str(path) for path in recordings])
    return Peer(network.eval(), front_end)


def is_served(description: Description, parameters: Path) -> bool:
    """Return whether the network of a bundle is the one that params.yaml describes."""
    how = section(parameters, f"models.{description.model}", architecture(description.model).params)
    return description.parameters.get("model") == how.model_dump(mode="json")


@dataclass(frozen=True)
class _Heard:
    """Recordings as the examples that a network is scaled by."""

    front_end: FrontEndParams

    def clean_tensors(self, files: list[str]) -> tuple[Tensor, Tensor]:
        """Return MFCCs `(files, coefficients, frames)` and frames `(files,)`."""
        how = self.front_end
        sounds = [waveform.read(Path(file)) for file in files]
        samples = [waveform.prepare(sound, how.sample_rate_hz, how.trim_db, how.max_samples) for sound in sounds]
        waveforms, lengths = waveform.pad(samples, at_least=how.window_samples)
        with torch.inference_mode():
            mfcc, frames = FrontEnd(how)(torch.from_numpy(waveforms), torch.from_numpy(lengths))
        return mfcc.clone(), frames.clone()

"""Inference with a served bundle of either kind: one model, or a cascade of two."""

from dataclasses import dataclass
from pathlib import Path

from audiomnist.serving import model as models
from audiomnist.serving.bundle.description import (
    CASCADE,
    DESCRIPTION,
    BundleError,
    CascadeDescription,
    Description,
    describe_served,
    how_to_restore,
)
from audiomnist.serving.model import Model


@dataclass(frozen=True, eq=False)
class Cascade:
    """A checked bundle of two: a model of waveforms, and the one that is asked where the first is in doubt."""

    description: CascadeDescription
    version: str
    first: Model
    second: Model

    kind = CASCADE


def load(folder: Path, threads: int) -> Model | Cascade:
    """Open a bundle of either kind for inference on the CPU.

    Args:
        folder: the bundle.
        threads: threads per run of a graph.

    Raises:
        BundleError: a file is missing or wrong; the message says how to restore it.
    """
    description, version = describe_served(folder)
    if isinstance(description, Description):
        return models.load(folder, threads)
    first, second = (_member(folder, name, sha256, threads) for name, sha256 in description.members.items())
    if (first.kind, second.kind) != ("waveform", "logprobs"):
        raise BundleError(
            f"{folder / DESCRIPTION}: the members {', '.join(description.members)} are not a model of waveforms and "
            f"one of log-probabilities. Restore it: {how_to_restore(folder)}"
        )
    return Cascade(description, version, first, second)


def _member(folder: Path, name: str, sha256: str, threads: int) -> Model:
    member = models.load(folder / name, threads)
    if member.version != sha256:
        raise BundleError(
            f"{folder / name / DESCRIPTION} is not the file that {folder / DESCRIPTION} describes (SHA-256 "
            f"{member.version}, expected {sha256}). Restore it: {how_to_restore(folder)}"
        )
    return member

"""From versioned inputs to a model bundle."""

import hashlib
import shutil
import subprocess
from pathlib import Path

import torch

from audiomnist import atomic, bundle, params, splits
from audiomnist.bundle import Description
from audiomnist.calibration import temperature
from audiomnist.corpus import dataset
from audiomnist.export import export
from audiomnist.fitting import Trained, TrainParams, fit
from audiomnist.models import architecture
from audiomnist.models.architecture import Examples
from audiomnist.splits import SplitParams

_EXAMPLE_CLIPS = 4


def train(model: str, parameters: Path, inputs: Path, split: Path, corpus: Path, out: Path, curves: Path) -> None:
    """Train one model and write its bundle.

    Args:
        model: a name in `models.MODULES`.
        parameters: params.yaml; the sections `train`, `split` and `models.<model>` are read.
        inputs: the folder of its inputs, features or transcripts.
        split: the CSV that says which clip stands in which part.
        corpus: the JSON that names the dataset.
        out: the bundle's folder; it appears whole or not at all.
        curves: the CSV of the curves, a row per epoch, written while training runs.
    """
    chosen = architecture(model)
    network_params = params.section(parameters, f"models.{model}", chosen.params)
    how = params.section(parameters, "train", TrainParams)
    examples = chosen.examples(inputs)
    clips = splits.read(split)
    trained = fit(chosen, network_params, examples, clips, how, curves)
    with atomic.replaced_directory(out) as folder:
        graph_sha256 = _export(trained, examples, [clip.file for clip in clips[:_EXAMPLE_CLIPS]], folder)
        content = {
            "model": model,
            "input": examples.service(),
            "dataset": dataset.read(corpus),
            "code_revision": _code_revision(),
            "split": params.section(parameters, "split", SplitParams).model_dump(),
            "parameters": {"train": how.model_dump(), "model": network_params.model_dump()},
            "temperature": temperature(trained.logits, trained.labels),
            "graph_sha256": graph_sha256,
        }
        description = Description.model_validate(content)
        bundle.write_description(folder, description)


def _export(trained: Trained, examples: Examples, files: list[str], folder: Path) -> str:
    inputs, lengths = examples.served(files)
    target = folder / bundle.GRAPH
    export(examples.deployable(trained.network), torch.from_numpy(inputs), torch.from_numpy(lengths), target)
    return hashlib.sha256(target.read_bytes()).hexdigest()


def _code_revision() -> str | None:
    """Return the commit that is checked out, where there is one."""
    if shutil.which("git") is None:
        return None
    answer = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False)  # noqa: S607 - git is looked up on PATH
    return answer.stdout.strip() or None if answer.returncode == 0 else None

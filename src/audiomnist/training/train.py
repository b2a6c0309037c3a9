"""From versioned inputs to a trained model: its weights and their description."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from rich.progress import track

from audiomnist.core import atomic, params
from audiomnist.core.processes import available_cores, process_pool
from audiomnist.corpus import info, splits
from audiomnist.corpus.splits import Clip, SplitParams
from audiomnist.models.common import checkpoint
from audiomnist.models.common.base import ClipDataset, Network
from audiomnist.models.common.registry import architecture
from audiomnist.serving.bundle import description
from audiomnist.serving.bundle.description import Training
from audiomnist.serving.bundle.reference import Reference, deciles_histogram, histogram_of
from audiomnist.training import calibration, cross_validation
from audiomnist.training import history as curves
from audiomnist.training.cross_validation import Outputs, answers, judged
from audiomnist.training.params import TrainParams
from audiomnist.training.trainer import TrainingJob, fit, labels_of


def train(
    model: str,
    parameters: Path,
    inputs: Path,
    split: Path,
    corpus: Path,
    out: Path,
    curves: Path,
    split_params: SplitParams | None = None,
    calibration_folds: int | None = None,
    processes: int | None = None,
) -> None:
    """Train one model, calibrate it on voices that are new to it, and write weights and description.

    Args:
        model: a name in `models.MODULES`.
        parameters: params.yaml; the sections `train`, `split` and `models.<model>` are read.
        inputs: the folder of its inputs, features or transcripts; those of synthetic voices, which teach and do
            nothing else, may stand in it.
        split: the CSV that says which clip stands in which part.
        corpus: the JSON that names the dataset.
        out: the folder of both; it appears whole or not at all.
        curves: the CSV of the curves, a row per epoch, written while training runs.
        split_params: what the split was made by; without it, the section `split`.
        calibration_folds: in place of `train.calibration_folds`.
        processes: that train side by side; 1 trains in this one, None takes one per available core.
    """
    chosen = architecture(model)
    network_params = params.section(parameters, f"models.{model}", chosen.params)
    how = _how(parameters, calibration_folds)
    torch.set_num_threads(how.num_threads)
    recipe = TrainingJob(chosen, network_params, inputs, how, splits.read(split))
    examples = recipe.examples()
    network, unheard = _trained(recipe, curves, processes or available_cores())
    judge = judged(network, recipe, examples)
    own = answers(judge, examples, recipe.subset("validation"))
    calibrated = calibration.calibrate(unheard, own) if unheard else calibration.calibrate(own)
    with atomic.replaced_directory(out) as folder:
        content = {
            "model": model,
            "input": examples.service(),
            "dataset": info.read(corpus),
            "split": (split_params or params.section(parameters, "split", SplitParams)).model_dump(),
            "synthetic_voices": _synthetic(recipe, examples),
            "parameters": {"train": how.model_dump(), "model": network_params.model_dump()},
            "calibration": asdict(calibrated),
            "reference": Reference(
                labels=_shares(recipe.subset("train")),
                confidence=histogram_of(calibration.confidence(own, calibrated).numpy()),
                duration_s=deciles_histogram(info.deciles_of_durations(corpus)),
            ),
        }
        checkpoint.save(folder, judge, Training.model_validate(content))


def _trained(recipe: TrainingJob, target: Path, count: int) -> tuple[Network, Outputs | None]:
    """Train the network that is served and, beside it, those that are asked about voices new to them."""
    without = cross_validation.folds(recipe)
    if count == 1:
        network = _served(recipe, target)
        alone = [cross_validation.answers_of(fold) for fold in without]
        return network, cross_validation.joined(alone) if alone else None
    with process_pool(min(count, 1 + len(without)), torch.set_num_threads, recipe.how.num_threads) as processes:
        served = processes.submit(_served, recipe, target)
        unheard = [processes.submit(cross_validation.answers_of, fold) for fold in without]
        network = served.result()
        answers = [future.result() for future in track(unheard, "voices left out, for the calibration")]
        return network, cross_validation.joined(answers) if answers else None


def _served(recipe: TrainingJob, target: Path) -> Network:
    with curves.drawn(target, recipe.how.epochs) as add:
        return fit(recipe, recipe.examples(), add)


def _how(parameters: Path, calibration_folds: int | None) -> TrainParams:
    how = params.section(parameters, "train", TrainParams)
    return how if calibration_folds is None else how.model_copy(update={"calibration_folds": calibration_folds})


def _synthetic(recipe: TrainingJob, examples: ClipDataset) -> dict[str, Any] | None:
    """Return how the synthetic speakers of the training were made, where there are some."""
    found = recipe.synthetic(examples)
    return None if found is None else found[2]


def _shares(clips: Sequence[Clip]) -> tuple[float, ...]:
    """Return each digit's share of clips."""
    counts = torch.bincount(labels_of(clips), minlength=len(description.LABELS)).double()
    return tuple((counts / counts.sum()).tolist())

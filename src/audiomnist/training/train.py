"""Training of one model, from versioned inputs to weights and their description."""

from collections.abc import Sequence
from pathlib import Path

import torch
from rich.progress import track

from audiomnist.core import atomic, params
from audiomnist.core.digits import CLASSES
from audiomnist.core.processes import available_cores, process_pool
from audiomnist.corpus import info, splits
from audiomnist.corpus.splits import Clip, SplitParams
from audiomnist.models.common import checkpoint
from audiomnist.models.common.base import Network
from audiomnist.models.common.registry import architecture
from audiomnist.serving.bundle import out_of_fold
from audiomnist.serving.bundle.description import Training
from audiomnist.serving.bundle.out_of_fold import OutOfFold
from audiomnist.serving.bundle.reference import Reference, histogram_of, quantiles_histogram
from audiomnist.training import cross_validation
from audiomnist.training.calibration import calibrate, confidence
from audiomnist.training.cross_validation import Outputs
from audiomnist.training.history import history_writer
from audiomnist.training.params import TrainParams
from audiomnist.training.trainer import TrainingJob, labels_of, train_network


def train(
    model: str,
    parameters: Path,
    inputs: Path,
    split: Path,
    corpus: Path,
    out: Path,
    history: Path,
    split_params: SplitParams | None = None,
    calibration_folds: int | None = None,
    processes: int | None = None,
) -> None:
    """Train one model and calibrate it on speakers that it was not trained on.

    Weights, description and the outputs that calibrated it (`bundle.out_of_fold`) are written.

    Args:
        model: a name in `models.common.registry.MODULES`.
        parameters: params.yaml; the sections `train`, `split` and `models.<model>` are read.
        inputs: folder of features, transcripts or log-probabilities; may contain features of synthetic speakers, which
            are only trained on.
        split: CSV with the subset of each clip.
        corpus: JSON with the name of the dataset.
        out: output folder; it is written completely or not at all.
        history: CSV of loss and accuracy, a row per epoch, written during training.
        split_params: parameters of the split; by default the section `split`.
        calibration_folds: replaces `train.calibration_folds`, and that of the model if it has its own.
        processes: number of trainings in parallel; 1 trains in this process, None uses one per available core.
    """
    job = _training_job(model, parameters, inputs, split, calibration_folds)
    torch.set_num_threads(job.params.num_threads)
    dataset = job.open_dataset()
    network, unseen = _train_all(job, history, processes or available_cores())
    classifier = cross_validation.ood_classifier(network, job, dataset)
    validation = cross_validation.outputs_of(classifier, dataset, job.subset("validation"))
    calibration = calibrate(unseen, validation) if unseen else calibrate(validation)
    synthetic = job.synthetic(dataset)
    digits = torch.bincount(labels_of(job.subset("train")), minlength=CLASSES).double()
    description = {
        "model": model,
        "input": dataset.input_spec(),
        "dataset": info.read(corpus),
        "split": (split_params or params.section(parameters, "split", SplitParams)).model_dump(),
        "synthetic_voices": None if synthetic is None else synthetic[2],
        "parameters": {"train": job.params.model_dump(), "model": job.network_params.model_dump()},
        "calibration": calibration,
        "reference": Reference(
            labels=tuple((digits / digits.sum()).tolist()),
            confidence=histogram_of(confidence(validation, calibration).numpy()),
            duration_s=quantiles_histogram(info.deciles_of_durations(corpus)),
        ),
    }
    with atomic.replaced_directory(out) as folder:
        checkpoint.save(folder, classifier, Training.model_validate(description))
        out_of_fold.write(folder, _named(_held_out(job) or job.subset("validation"), unseen or validation))


def _training_job(
    model: str, parameters: Path, inputs: Path, split: Path, calibration_folds: int | None
) -> TrainingJob:
    arch = architecture(model)
    network_params = params.section(parameters, f"models.{model}", arch.params)
    train_params = params.section(parameters, "train", TrainParams)
    if calibration_folds is None:
        calibration_folds = getattr(network_params, "calibration_folds", train_params.calibration_folds)
    train_params = train_params.model_copy(update={"calibration_folds": calibration_folds})
    return TrainingJob(arch, network_params, inputs, train_params, splits.read(split))


def _train_all(job: TrainingJob, history: Path, processes: int) -> tuple[Network, Outputs | None]:
    """Train the served network and those of the folds; return it, and the outputs for held-out speakers, if any."""
    all_folds = cross_validation.folds(job)
    if processes == 1:
        network = _train_served(job, history)
        outputs = [cross_validation.out_of_fold_outputs(fold) for fold in all_folds]
    else:
        count = min(processes, 1 + len(all_folds))
        with process_pool(count, torch.set_num_threads, job.params.num_threads) as executor:
            served = executor.submit(_train_served, job, history)
            futures = [executor.submit(cross_validation.out_of_fold_outputs, fold) for fold in all_folds]
            network = served.result()
            outputs = [future.result() for future in track(futures, "calibration folds")]
    return network, cross_validation.concatenate(outputs) if outputs else None


def _held_out(job: TrainingJob) -> list[Clip]:
    """Return the clips of `_train_all`'s outputs for held-out speakers, in their order."""
    return [clip for fold in cross_validation.folds(job) for clip in fold.held_out]


def _named(clips: Sequence[Clip], outputs: Outputs) -> OutOfFold:
    arrays = outputs.labels.numpy(), outputs.logits.numpy(), outputs.novelty.numpy()
    return OutOfFold([clip.file for clip in clips], *arrays)


def _train_served(job: TrainingJob, history: Path) -> Network:
    with history_writer(history, job.params.epochs) as on_epoch:
        return train_network(job, job.open_dataset(), on_epoch)

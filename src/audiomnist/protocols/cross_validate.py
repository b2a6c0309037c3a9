"""Cross-validation of a network: training and evaluation on every split of a protocol, in parallel."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, wait
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from audiomnist.core import atomic, params
from audiomnist.core.digits import PROBABILITIES
from audiomnist.core.processes import available_cores, process_pool
from audiomnist.corpus import splits
from audiomnist.corpus.protocol_splits import ProtocolSplit, read_splits
from audiomnist.evaluation.evaluate import predict
from audiomnist.export.optimize import export_bundle
from audiomnist.protocols.predictions import ProtocolError, with_split
from audiomnist.serving.held_out import held_out_predictions
from audiomnist.serving.model import load
from audiomnist.training.params import TrainParams
from audiomnist.training.train import train

_SPLIT = "split.csv"
_TRAINED = "trained"
_HISTORY = "history.csv"
_POLL_S = 1.0


def cross_validate(
    protocol: str,
    model: str,
    parameters: Path,
    recordings: Path,
    raw: Path,
    inputs: Path,
    corpus: Path,
    out: Path,
    calibration_folds: int | None = None,
    held_out: Path | None = None,
) -> None:
    """Train and evaluate a network on every split of a protocol; write its test predictions.

    Args:
        protocol: one of `protocol_splits.PROTOCOLS`.
        model: the name of the network.
        parameters: params.yaml.
        recordings: the manifest of the corpus.
        raw: the folder of recordings.
        inputs: the folder of the network's inputs, features or transcripts.
        corpus: the JSON that names the dataset.
        out: Parquet to write: `split`, `seed`, `max_train_speakers` (null for all), `file`, `speaker`, `digit`,
            `predicted`, `p0` to `p9` and `ood_score`, a row per split and test clip.
        calibration_folds: in place of `train.calibration_folds`.
        held_out: Parquet to write, the same columns but `speaker` and `predicted` for the clips that calibrated the
            network of each split (`bundle.out_of_fold`): predictions of networks that were not trained on them.

    Raises:
        ProtocolError: a process died.
    """
    protocol_splits = read_splits(protocol, parameters, recordings)
    epochs = params.section(parameters, "train", TrainParams).epochs
    processes = max(1, available_cores() // len(protocol_splits))
    run = partial(_run, model, parameters, raw, inputs, corpus, calibration_folds, processes)
    with TemporaryDirectory() as temporary:
        folders = {split: Path(temporary) / split.name for split in protocol_splits}
        for split, folder in folders.items():
            splits.split(recordings, split.params, folder / _SPLIT)
        tables = _in_parallel(run, folders, epochs, f"{protocol} {model}")
        if held_out:
            calibration = [with_split(_held_out(folder / _TRAINED), split) for split, folder in folders.items()]
            _write(calibration, held_out)
    _write([tables[split] for split in protocol_splits], out)


def _write(tables: Sequence[pd.DataFrame], target: Path) -> None:
    with atomic.replaced_file(target) as path:
        pd.concat(tables, ignore_index=True).to_parquet(path, index=False)


def _held_out(trained: Path) -> pd.DataFrame:
    """Return `file`, `digit`, `p0` to `p9` and `ood_score` of the clips that calibrated a trained model."""
    files, digits, predictions = held_out_predictions(trained)
    table = pd.DataFrame({"file": files, "digit": digits})
    table[PROBABILITIES] = predictions.probabilities
    table["ood_score"] = predictions.ood_scores
    return table


def _run(
    model: str,
    parameters: Path,
    raw: Path,
    inputs: Path,
    corpus: Path,
    calibration_folds: int | None,
    processes: int,
    split: ProtocolSplit,
    folder: Path,
) -> pd.DataFrame:
    """Train a network on one split, export it and return its test predictions."""
    clips, history = folder / _SPLIT, folder / _HISTORY
    trained, served = folder / _TRAINED, folder / "served"
    train(model, parameters, inputs, clips, corpus, trained, history, split.params, calibration_folds, processes)
    export_bundle(trained, raw, clips, served)
    test = [clip for clip in splits.read(clips) if clip.subset == "test"]
    table = predict(load(served, threads=1), test, inputs, raw)
    return with_split(table.drop(columns="subset"), split)


def _in_parallel(
    run: Callable[[ProtocolSplit, Path], pd.DataFrame], folders: dict[ProtocolSplit, Path], epochs: int, title: str
) -> dict[ProtocolSplit, pd.DataFrame]:
    """Return the predictions of each split; show the progress of all meanwhile."""
    tables: dict[ProtocolSplit, pd.DataFrame] = {}
    columns = TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn()
    with (
        Progress(*columns) as progress,
        process_pool(min(available_cores(), len(folders)), _discard_output) as executor,
    ):
        task = progress.add_task(title, total=len(folders))
        running = {executor.submit(run, split, folder): split for split, folder in folders.items()}
        while running:
            for future in wait(running, _POLL_S, FIRST_COMPLETED).done:
                split = running.pop(future)
                try:
                    table = tables[split] = future.result()
                except BrokenProcessPool as error:
                    raise ProtocolError(
                        f"a process of {title} {split.name} died, perhaps for want of memory: run the stage again"
                    ) from error
                accuracy = (table["predicted"] == table["digit"]).mean()
                count = f"{len(tables)} of {len(folders)} splits"
                progress.console.print(f"{title} {split.name}: {accuracy:.1%}, {count}")
            epochs_done = sum(_epochs_done(folders[split] / _HISTORY) for split in running.values())
            progress.update(task, completed=len(tables) + epochs_done / epochs)
    return tables


def _epochs_done(history: Path) -> int:
    return max(0, len(history.read_text(encoding="utf-8").splitlines()) - 1) if history.exists() else 0


def _discard_output() -> None:
    """Redirect this process and those that it starts to nowhere: the first process shows the progress of all."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)

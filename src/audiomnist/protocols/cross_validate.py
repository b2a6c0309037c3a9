"""Training and evaluating one network on every split of a protocol, the splits side by side on the available cores."""

import os
import sys
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from audiomnist.core import atomic, params
from audiomnist.core.processes import available_cores, process_pool
from audiomnist.corpus import splits
from audiomnist.corpus.protocol_splits import ProtocolSplit, read_splits
from audiomnist.evaluation.evaluate import predict
from audiomnist.export.optimize import export_bundle
from audiomnist.protocols.predictions import ProtocolError, with_split
from audiomnist.serving import model as inference
from audiomnist.training.params import TrainParams
from audiomnist.training.train import train

_POLL_S = 1.0


@dataclass(frozen=True)
class Sources:
    """What every split reads.

    Attributes:
        parameters: params.yaml.
        recordings: the manifest of the corpus.
        raw: the folder of recordings.
        inputs: the folder of the network's inputs, features or transcripts.
        corpus: the JSON that names the dataset.
    """

    parameters: Path
    recordings: Path
    raw: Path
    inputs: Path
    corpus: Path


def cross_validate(
    protocol: str, model: str, sources: Sources, out: Path, calibration_folds: int | None = None
) -> None:
    """Write the test predictions of one network on every split of a protocol.

    Args:
        protocol: one of `protocol_splits.PROTOCOLS`.
        model: the name of the network.
        sources: what is read.
        out: Parquet to write: `split`, `seed`, `max_train_speakers` (null for all), `file`, `speaker`, `digit`,
            `predicted`, `p0` to `p9` and `ood_score`, a row per split and test clip.
        calibration_folds: in place of `train.calibration_folds`.

    Raises:
        ProtocolError: a process died.
    """
    found = read_splits(protocol, sources.parameters, sources.recordings)
    epochs = params.section(sources.parameters, "train", TrainParams).epochs
    with TemporaryDirectory() as folder:
        jobs = [_Job(model, split, sources, Path(folder) / split.name, calibration_folds) for split in found]
        tables = dict(_side_by_side(jobs, epochs, f"{protocol} {model}"))
    table = pd.concat([tables[split.name] for split in found], ignore_index=True)
    with atomic.replaced_file(out) as temporary:
        table.to_parquet(temporary, index=False)


@dataclass(frozen=True)
class _Job:
    """One split: a network is trained on it, exported, and asked about its test part."""

    model: str
    split: ProtocolSplit
    sources: Sources
    folder: Path
    calibration_folds: int | None

    @property
    def history(self) -> Path:
        return self.folder / "history.csv"

    def progress(self, epochs: int) -> float:
        """Return the share of the epochs that is done, in [0, 1]."""
        if not self.history.exists():
            return 0.0
        return (len(self.history.read_text(encoding="utf-8").splitlines()) - 1) / epochs

    def run(self) -> pd.DataFrame:
        """Return the test predictions."""
        source, clips = self.sources, self.folder / "split.csv"
        trained, served = self.folder / self.model, self.folder / "served"
        splits.split(source.recordings, self.split.params, clips)
        train(
            self.model,
            source.parameters,
            source.inputs,
            clips,
            source.corpus,
            trained,
            self.history,
            split_params=self.split.params,
            calibration_folds=self.calibration_folds,
            processes=1,
        )
        export_bundle(trained, source.raw, clips, served)
        test = [clip for clip in splits.read(clips) if clip.subset == "test"]
        opened = inference.load(served, threads=1)
        table = predict(opened, test, source.inputs, source.raw)
        return with_split(table.drop(columns="subset"), self.split)


def _side_by_side(jobs: list[_Job], epochs: int, title: str) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield the name and the predictions of each split, as they are done; show how far they are."""
    columns = TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn()
    with (
        Progress(*columns) as progress,
        process_pool(min(available_cores(), len(jobs)), _silence) as processes,
    ):
        task = progress.add_task(title, total=len(jobs))
        running = {processes.submit(job.run): job for job in jobs}
        done: set[str] = set()
        while running:
            finished, _ = wait(running, _POLL_S, FIRST_COMPLETED)
            for future in finished:
                job = running.pop(future)
                table = _result(future, job)
                done.add(job.split.name)
                accuracy = (table["predicted"] == table["digit"]).mean()
                progress.console.print(f"{title} {job.split.name}: {accuracy:.1%}, {len(done)} of {len(jobs)} splits")
                yield job.split.name, table
            completed = len(done) + sum(job.progress(epochs) for job in running.values())
            progress.update(task, completed=completed)


def _result(future: Future[pd.DataFrame], job: _Job) -> pd.DataFrame:
    try:
        return future.result()
    except BrokenProcessPool as error:
        raise ProtocolError(
            f"a process that trained the {job.model} on the split {job.split.name} died, perhaps for want of memory: "
            "run the stage again"
        ) from error


def _silence() -> None:
    """Let this process print nothing: the first one shows the progress of all."""
    sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - open until the process ends

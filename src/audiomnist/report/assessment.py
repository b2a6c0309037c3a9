"""Judging a model bundle on the clips of the split, as the scorer would run it."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from rich.progress import track

from audiomnist import atomic, audio, evaluation, inference, splits, transcripts
from audiomnist.evaluation import PROBABILITIES
from audiomnist.inference import Model
from audiomnist.report import TITLES, plots
from audiomnist.splits import Clip
from audiomnist.text import texts_by_file

_BATCH_CLIPS = 64


def evaluate(
    model: Path,
    inputs: Path,
    raw: Path,
    split: Path,
    curves: Path,
    metrics: Path,
    predictions: Path,
    plots_folder: Path,
) -> None:
    """Run a bundle over every clip; write its scores, its test predictions and its plots.

    Args:
        model: the bundle's folder.
        inputs: the folder of the model's inputs; the transcripts are taken from it.
        raw: the folder of recordings; a waveform model hears them.
        split: the CSV that says which clip stands in which part.
        curves: the CSV of the training curves.
        metrics: JSON to write, under the model's name.
        predictions: Parquet to write, a row per test clip.
        plots_folder: folder to write `confusion.csv`, `confusion.png` and `curves.png` into.
    """
    opened = inference.load(model, threads=1)
    name, dataset = opened.description.model, opened.description.dataset
    table = predict(opened, splits.read(split), raw, inputs)
    test = table[table["part"] == "test"].drop(columns="part").reset_index(drop=True)
    train = table[table["part"] == "train"]
    scored = evaluation.scores(test)
    scored["train_accuracy"] = float((train["predicted"] == train["digit"]).mean())
    identity = {"dataset": dataset.name, "dataset_version": dataset.version, "test_clips": len(test)}
    atomic.write_json(metrics, {name: identity | evaluation.rounded(scored)})
    with atomic.replaced_file(predictions) as temporary:
        test.to_parquet(temporary, index=False)
    title = f"{TITLES[name]}: {scored['accuracy']:.1%} of {len(test)} test clips right\n{dataset.name}"
    _draw(test, pd.read_csv(curves), title, plots_folder)


def predict(opened: Model, clips: Sequence[Clip], raw: Path, inputs: Path) -> pd.DataFrame:
    """Return `file`, `speaker`, `digit`, `part`, `predicted` and `p0` to `p9` for each clip."""
    files = [clip.file for clip in clips]
    of_kind = {"waveform": _from_waveforms, "transcript": _from_transcripts}[opened.description.input.kind]
    probabilities = of_kind(opened, files, raw, inputs)
    table = pd.DataFrame([(clip.file, clip.speaker, clip.digit, clip.part) for clip in clips])
    table.columns = pd.Index(["file", "speaker", "digit", "part"])
    table["predicted"] = probabilities.argmax(axis=1)
    table[PROBABILITIES] = probabilities
    return table


def _from_waveforms(opened: Model, files: list[str], raw: Path, inputs: Path) -> NDArray[np.float32]:
    del inputs
    prepared = [opened.prepare(audio.read(raw / file)) for file in files]
    starts = track(range(0, len(prepared), _BATCH_CLIPS), "evaluate")
    return np.concatenate([opened.predict_waveforms(prepared[start : start + _BATCH_CLIPS]) for start in starts])


def _from_transcripts(opened: Model, files: list[str], raw: Path, inputs: Path) -> NDArray[np.float32]:
    del raw
    texts = texts_by_file(transcripts.read(inputs))
    starts = track(range(0, len(files), _BATCH_CLIPS), "evaluate")
    batches = [[texts[file] for file in files[start : start + _BATCH_CLIPS]] for start in starts]
    return np.concatenate([opened.predict_texts(batch) for batch in batches])


def _draw(test: pd.DataFrame, history: pd.DataFrame, title: str, folder: Path) -> None:
    pairs = test[["digit", "predicted"]].set_axis(["actual", "predicted"], axis=1)
    atomic.write_text(folder / "confusion.csv", pairs.to_csv(index=False, lineterminator="\n"))
    counts = np.zeros((10, 10), dtype=np.int64)
    np.add.at(counts, (pairs["actual"].to_numpy(), pairs["predicted"].to_numpy()), 1)
    plots.confusion_matrix(counts, title, folder / "confusion.png")
    plots.curves(history, title, folder / "curves.png")

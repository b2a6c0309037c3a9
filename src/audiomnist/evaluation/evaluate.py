"""Evaluation of a served model on the clips of a split."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from rich.progress import track
from sklearn.metrics import confusion_matrix

from audiomnist.audio import waveform
from audiomnist.core import atomic
from audiomnist.core.digits import CLASSES, PROBABILITIES
from audiomnist.corpus import splits
from audiomnist.corpus.splits import Clip
from audiomnist.evaluation.metrics import HEADLINE, rounded, scores
from audiomnist.evaluation.names import TITLES
from audiomnist.evaluation.plots import plot_confusion_matrix, plot_history
from audiomnist.logprobs.dataset import LogprobExamples
from audiomnist.serving.batching import BATCH_CLIPS
from audiomnist.serving.bundle.description import LogprobsInput, TranscriptInput
from audiomnist.serving.model import Model, Predictions, load
from audiomnist.transcripts import table as transcripts
from audiomnist.transcripts.tokenizer import texts_by_file


def evaluate(
    served: Path,
    inputs: Path,
    raw: Path,
    split: Path,
    history: Path,
    metrics: Path,
    report: Path,
    predictions: Path,
    plots: Path,
) -> None:
    """Evaluate a served model on every clip of a split.

    Args:
        served: the model's bundle.
        inputs: the folder of its inputs; a model behind a recognizer reads what this returned.
        raw: the folder of recordings, which a waveform model reads.
        split: the CSV of the subset of each clip.
        history: the CSV of loss and accuracy by epoch.
        metrics: JSON to write, under the model's name: those scores of the test subset that are in `HEADLINE`.
        report: JSON to write, under the model's name: dataset, all scores of the test subset (`scores`) and the
            accuracy on the training subset.
        predictions: Parquet to write, a row per test clip: see `predict`.
        plots: the folder of `confusion.csv`, `confusion.png` and `history.png` to write.
    """
    model = load(served, threads=1)
    table = predict(model, splits.read(split), inputs, raw)
    test = table[table["subset"] == "test"].drop(columns="subset").reset_index(drop=True)
    train = table[table["subset"] == "train"]
    name, dataset = model.description.model, model.description.dataset
    scored = {"dataset": dataset.name, "dataset_version": dataset.version, "test_clips": len(test)} | scores(test)
    scored["train_accuracy"] = float((train["predicted"] == train["digit"]).mean())
    atomic.write_json(metrics, {name: rounded({key: scored[key] for key in HEADLINE})})
    atomic.write_json(report, {name: rounded(scored)})
    with atomic.replaced_file(predictions) as temporary:
        test.to_parquet(temporary, index=False)
    pairs = test[["digit", "predicted"]].set_axis(["actual", "predicted"], axis=1)
    atomic.write_text(plots / "confusion.csv", pairs.to_csv(index=False, lineterminator="\n"))
    title = f"{TITLES.get(name, name)}: accuracy {scored['accuracy']:.1%} on {len(test)} test clips\n{dataset.name}"
    counts = confusion_matrix(test["digit"], test["predicted"], labels=range(CLASSES))
    plot_confusion_matrix(counts, title, plots / "confusion.png")
    plot_history(pd.read_csv(history), title, plots / "history.png")


def predict(model: Model, clips: Sequence[Clip], inputs: Path, raw: Path) -> pd.DataFrame:
    """Return `file`, `speaker`, `digit`, `subset`, `predicted`, `p0` to `p9` and `ood_score` for each clip."""
    files = [clip.file for clip in clips]
    if isinstance(model.description.input, TranscriptInput):
        predictions = _predict_transcripts(model, files, inputs)
    elif isinstance(model.description.input, LogprobsInput):
        predictions = model.predict_logprobs(LogprobExamples(inputs).get(files)[0])
    else:
        prepared = [model.prepare(waveform.read(raw / file)) for file in track(files, "evaluate")]
        predictions = model.predict_waveforms(prepared)
    table = pd.DataFrame(clips, columns=["file", "speaker", "digit", "subset"])
    table["predicted"] = predictions.probabilities.argmax(axis=1)
    table[PROBABILITIES] = predictions.probabilities
    table["ood_score"] = predictions.ood_scores
    return table


def _predict_transcripts(model: Model, files: Sequence[str], folder: Path) -> Predictions:
    texts = texts_by_file(transcripts.read(folder))
    starts = track(range(0, len(files), BATCH_CLIPS), "evaluate")
    batches = [model.predict_texts([texts[file] for file in files[start : start + BATCH_CLIPS]]) for start in starts]
    return Predictions(
        np.concatenate([batch.probabilities for batch in batches]),
        np.concatenate([batch.ood_scores for batch in batches]),
    )

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
from audiomnist.serving.cascade import Cascade, load
from audiomnist.serving.fusion import combined
from audiomnist.serving.model import Model, Predictions
from audiomnist.transcripts import table as transcripts
from audiomnist.transcripts.tokenizer import texts_by_file


def evaluate(
    served: Path,
    inputs: Path,
    raw: Path,
    split: Path,
    metrics: Path,
    report: Path,
    predictions: Path,
    plots: Path,
    history: Path | None = None,
) -> None:
    """Evaluate a served model on every clip of a split.

    Args:
        served: the model's bundle.
        inputs: the folder of its inputs; a model behind a recognizer reads what this returned.
        raw: the folder of recordings, which a waveform model reads.
        split: the CSV of the subset of each clip.
        metrics: JSON to write, under the model's name: those scores of the test subset that are in `HEADLINE`, and of a
            cascade `asked`.
        report: JSON to write, under the model's name: dataset, all scores of the test subset (`scores`), the accuracy
            on the training subset, and of a cascade `asked`, the share of test clips for which the second model was.
        predictions: Parquet to write, a row per test clip: see `predict`.
        plots: the folder of `confusion.csv`, `confusion.png` and, with a history, `history.png` to write.
        history: the CSV of loss and accuracy by epoch; None for a cascade, which is not trained.
    """
    model = load(served, threads=1)
    table = predict(model, splits.read(split), inputs, raw)
    test = table[table["subset"] == "test"].drop(columns="subset").reset_index(drop=True)
    train = table[table["subset"] == "train"]
    name, dataset = model.description.model, model.description.dataset
    scored = {"dataset": dataset.name, "dataset_version": dataset.version, "test_clips": len(test)} | scores(test)
    scored["train_accuracy"] = float((train["predicted"] == train["digit"]).mean())
    if "asked" in test:
        scored["asked"] = float(test["asked"].mean())
    atomic.write_json(metrics, {name: rounded({key: scored[key] for key in (*HEADLINE, "asked") if key in scored})})
    atomic.write_json(report, {name: rounded(scored)})
    with atomic.replaced_file(predictions) as temporary:
        test.to_parquet(temporary, index=False)
    pairs = test[["digit", "predicted"]].set_axis(["actual", "predicted"], axis=1)
    atomic.write_text(plots / "confusion.csv", pairs.to_csv(index=False, lineterminator="\n"))
    title = f"{TITLES.get(name, name)}: accuracy {scored['accuracy']:.1%} on {len(test)} test clips\n{dataset.name}"
    counts = confusion_matrix(test["digit"], test["predicted"], labels=range(CLASSES))
    plot_confusion_matrix(counts, title, plots / "confusion.png")
    if history:
        plot_history(pd.read_csv(history), title, plots / "history.png")


def predict(model: Model | Cascade, clips: Sequence[Clip], inputs: Path, raw: Path) -> pd.DataFrame:
    """Return `file`, `speaker`, `digit`, `subset`, `predicted`, `p0` to `p9` and `ood_score` for each clip.

    For a cascade there is another column, `asked`: whether its second model was asked.
    """
    files = [clip.file for clip in clips]
    table = pd.DataFrame(clips, columns=["file", "speaker", "digit", "subset"])
    if isinstance(model, Cascade):
        first, second = (_predictions(member, files, inputs, raw) for member in (model.first, model.second))
        predictions, table["asked"] = combined(first, second, model.description.rule)
    else:
        predictions = _predictions(model, files, inputs, raw)
    table["predicted"] = predictions.probabilities.argmax(axis=1)
    table[PROBABILITIES] = predictions.probabilities
    table["ood_score"] = predictions.ood_scores
    return table


def _predictions(model: Model, files: Sequence[str], inputs: Path, raw: Path) -> Predictions:
    if isinstance(model.description.input, TranscriptInput):
        return _predict_transcripts(model, files, inputs)
    if isinstance(model.description.input, LogprobsInput):
        return model.predict_logprobs(LogprobExamples(inputs).get(list(files))[0])
    return model.predict_waveforms([model.prepare(waveform.read(raw / file)) for file in track(files, "evaluate")])


def _predict_transcripts(model: Model, files: Sequence[str], folder: Path) -> Predictions:
    texts = texts_by_file(transcripts.read(folder))
    starts = track(range(0, len(files), BATCH_CLIPS), "evaluate")
    batches = [model.predict_texts([texts[file] for file in files[start : start + BATCH_CLIPS]]) for start in starts]
    return Predictions(
        np.concatenate([batch.probabilities for batch in batches]),
        np.concatenate([batch.ood_scores for batch in batches]),
    )

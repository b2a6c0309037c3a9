"""Evaluating a served model on the clips of a split."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from rich.progress import track

from audiomnist.audio import waveform
from audiomnist.core import atomic
from audiomnist.core.digits import CLASSES, PROBABILITIES
from audiomnist.corpus import splits
from audiomnist.corpus.splits import Clip
from audiomnist.evaluation import metrics, plots
from audiomnist.evaluation.names import TITLES
from audiomnist.serving import model
from audiomnist.serving.batching import BATCH_CLIPS
from audiomnist.serving.bundle.description import TranscriptInput
from audiomnist.serving.model import Model, Predictions
from audiomnist.transcripts import table as transcripts
from audiomnist.transcripts.tokenizer import texts_by_file


def evaluate(
    served: Path, inputs: Path, raw: Path, split: Path, history: Path, scores: Path, predictions: Path, figures: Path
) -> None:
    """Run a served model over every clip of a split.

    Args:
        served: the model's bundle.
        inputs: the folder of its inputs; a text model reads its transcripts from it.
        raw: the folder of recordings, which a waveform model reads.
        split: the CSV that says which clip is in which part.
        history: the CSV of loss and accuracy by epoch.
        scores: JSON to write: the scores of the test part (`metrics.scores`) and the accuracy on the training part,
            under the model's name.
        predictions: Parquet to write, a row per test clip: see `predict`.
        figures: the folder of `confusion.csv`, `confusion.png` and `history.png`.
    """
    opened = model.load(served, threads=1)
    table = predict(opened, splits.read(split), inputs, raw)
    test = table[table["subset"] == "test"].drop(columns="subset").reset_index(drop=True)
    train = table[table["subset"] == "train"]
    scored = metrics.scores(test) | {"train_accuracy": float((train["predicted"] == train["digit"]).mean())}
    name, dataset = opened.description.model, opened.description.dataset
    identity = {"dataset": dataset.name, "dataset_version": dataset.version, "test_clips": len(test)}
    atomic.write_json(scores, {name: identity | metrics.rounded(scored)})
    with atomic.replaced_file(predictions) as temporary:
        test.to_parquet(temporary, index=False)
    title = f"{TITLES.get(name, name)}: accuracy {scored['accuracy']:.1%} on {len(test)} test clips\n{dataset.name}"
    _draw_confusion(test, title, figures)
    plots.history(pd.read_csv(history), title, figures / "history.png")


def predict(opened: Model, clips: Sequence[Clip], inputs: Path, raw: Path) -> pd.DataFrame:
    """Return `file`, `speaker`, `digit`, `part`, `predicted`, `p0` to `p9` and `ood_score` for each clip."""
    files = [clip.file for clip in clips]
    of_text = isinstance(opened.description.input, TranscriptInput)
    found = _from_transcripts(opened, files, inputs) if of_text else _from_recordings(opened, files, raw)
    table = pd.DataFrame([(clip.file, clip.speaker, clip.digit, clip.subset) for clip in clips])
    table.columns = pd.Index(["file", "speaker", "digit", "subset"])
    table["predicted"] = found.probabilities.argmax(axis=1)
    table[PROBABILITIES] = found.probabilities
    table["ood_score"] = found.ood_scores
    return table


def _from_recordings(opened: Model, files: Sequence[str], raw: Path) -> Predictions:
    return opened.predict_waveforms([opened.prepare(waveform.read(raw / file)) for file in track(files, "evaluate")])


def _from_transcripts(opened: Model, files: Sequence[str], folder: Path) -> Predictions:
    texts = texts_by_file(transcripts.read(folder))
    starts = track(range(0, len(files), BATCH_CLIPS), "evaluate")
    batches = [opened.predict_texts([texts[file] for file in files[start : start + BATCH_CLIPS]]) for start in starts]
    return Predictions(
        np.concatenate([batch.probabilities for batch in batches]),
        np.concatenate([batch.ood_scores for batch in batches]),
    )


def _draw_confusion(test: pd.DataFrame, title: str, folder: Path) -> None:
    pairs = test[["digit", "predicted"]].set_axis(["actual", "predicted"], axis=1)
    atomic.write_text(folder / "confusion.csv", pairs.to_csv(index=False, lineterminator="\n"))
    counts = np.zeros((CLASSES, CLASSES), dtype=np.int64)
    np.add.at(counts, (pairs["actual"].to_numpy(), pairs["predicted"].to_numpy()), 1)
    plots.confusion_matrix(counts, title, folder / "confusion.png")

"""Judging a model bundle on the clips of the split, as the scorer would run it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from rich.progress import track

from audiomnist.audio import waveform
from audiomnist.audio.waveform import Waveform
from audiomnist.core import atomic
from audiomnist.core.digits import PROBABILITIES
from audiomnist.corpus import splits
from audiomnist.corpus.splits import Clip
from audiomnist.evaluation import metrics as evaluation
from audiomnist.evaluation import plots
from audiomnist.evaluation.names import TITLES
from audiomnist.export import optimize
from audiomnist.robustness import ood_sounds
from audiomnist.serving import model
from audiomnist.serving.batching import BATCH_CLIPS
from audiomnist.serving.model import Model, Predictions
from audiomnist.serving.predictor import Hear, hearing
from audiomnist.transcripts import table as transcripts
from audiomnist.transcripts.tokenizer import texts_by_file

_FOREIGN_CLIPS = 100
_FOREIGN_SEED = 0


@dataclass(frozen=True)
class Inputs:
    """What a bundle is judged on.

    Attributes:
        inputs: the folder of the model's inputs; the transcripts are taken from it.
        raw: the folder of recordings; a waveform model hears them.
        split: the CSV that says which clip stands in which part.
        curves: the CSV of the training curves.
    """

    inputs: Path
    raw: Path
    split: Path
    curves: Path


@dataclass(frozen=True)
class Outputs:
    """What is written.

    Attributes:
        metrics: JSON of the scores, under the model's name.
        predictions: Parquet, a row per test clip.
        plots: the folder of `confusion.csv`, `confusion.png` and `curves.png`.
    """

    metrics: Path
    predictions: Path
    plots: Path


def evaluate(trained: Path, served: Path | None, given: Inputs, made: Outputs, *, foreign_sounds: bool = True) -> None:
    """Run a served bundle over every clip; write its scores, its test predictions and its plots.

    Args:
        trained: the folder of the trained bundle, whose own labels of the test clips are written beside.
        served: the folder of what was compiled from it; without it, it is compiled for the purpose.
        given: what the model hears.
        made: what is written.
        foreign_sounds: whether the model hears sounds that are no digits too.
    """
    if served is None:
        with TemporaryDirectory() as folder:
            served = Path(folder) / trained.name
            optimize.compile_bundle(trained, given.raw, given.split, served)
            evaluate(trained, served, given, made, foreign_sounds=foreign_sounds)
        return
    opened, clips = model.load(served, threads=1), splits.read(given.split)
    name, dataset = opened.description.model, opened.description.dataset
    table = predict(opened, clips, given)
    table["predicted_as_trained"] = predict(model.load(trained, threads=1), clips, given)["predicted"]
    test = table[table["part"] == "test"].drop(columns="part").reset_index(drop=True)
    train = table[table["part"] == "train"]
    scored = evaluation.scores(test)
    scored["train_accuracy"] = float((train["predicted"] == train["digit"]).mean())
    scored["accuracy_as_trained"] = float((test["predicted_as_trained"] == test["digit"]).mean())
    if foreign_sounds:
        recordings = [waveform.read(given.raw / file) for file in test["file"][:: len(test) // _FOREIGN_CLIPS + 1]]
        scored["foreign"] = not_knowing(opened, test["ood_score"].to_numpy(), recordings)
    identity = {"dataset": dataset.name, "dataset_version": dataset.version, "test_clips": len(test)}
    atomic.write_json(made.metrics, {name: identity | evaluation.rounded(scored)})
    with atomic.replaced_file(made.predictions) as temporary:
        test.to_parquet(temporary, index=False)
    title = f"{TITLES[name]}: {scored['accuracy']:.1%} of {len(test)} test clips right\n{dataset.name}"
    _draw(test, pd.read_csv(given.curves), title, made.plots)


def predict(opened: Model, clips: Sequence[Clip], given: Inputs) -> pd.DataFrame:
    """Return `file`, `speaker`, `digit`, `part`, `predicted`, `p0` to `p9` and `ood_score` for each clip."""
    files = [clip.file for clip in clips]
    of_kind = {"waveform": _from_waveforms, "transcript": _from_transcripts}[opened.description.input.kind]
    batches = list(of_kind(opened, files, given))
    probabilities = np.concatenate([batch.probabilities for batch in batches])
    table = pd.DataFrame([(clip.file, clip.speaker, clip.digit, clip.part) for clip in clips])
    table.columns = pd.Index(["file", "speaker", "digit", "part"])
    table["predicted"] = probabilities.argmax(axis=1)
    table[PROBABILITIES] = probabilities
    table["ood_score"] = np.concatenate([batch.ood_scores for batch in batches])
    return table


def not_knowing(
    opened: Model, familiar: NDArray[np.float32], recordings: Sequence[Waveform]
) -> dict[str, dict[str, float]]:
    """Return how well a model tells sounds that are no digit from the clips of the test part.

    Args:
        opened: the model.
        familiar: `ood_score` of the test clips.
        recordings: some of these clips, which are played backwards for one kind of sound.

    Returns:
        for each kind in `foreign.KINDS`, and `backwards`: `auroc`, area under the receiver operating characteristic
        of `ood_score`; `noticed`, share of the sounds above 1; `confidence`, the mean. And under `digits` the share
        of the test clips that are `noticed`, in error.
    """
    hear = hearing(opened)
    kinds = {kind: ood_sounds.sounds(kind, _FOREIGN_CLIPS, _FOREIGN_SEED) for kind in ood_sounds.KINDS}
    kinds["backwards"] = [ood_sounds.backwards(recording) for recording in recordings]
    told = {
        kind: evaluation.novelty_scores(familiar, *_heard(hear, sounds))
        for kind, sounds in track(kinds.items(), "evaluate on other sounds")
    }
    return told | {"digits": {"noticed": float((familiar > 1).mean())}}


def _heard(hear: Hear, sounds: Sequence[Waveform]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return `ood_score` and confidence of each sound that the model has an answer to."""
    batches = [hear(sounds[start : start + BATCH_CLIPS]) for start in range(0, len(sounds), BATCH_CLIPS)]
    answers = [answer for batch in batches for answer in batch if answer is not None]
    scores = np.array([answer.ood_score for answer in answers], dtype=np.float32)
    return scores, np.array([answer.probabilities.max() for answer in answers], dtype=np.float32)


def _from_waveforms(opened: Model, files: list[str], given: Inputs) -> Iterator[Predictions]:
    prepared = [opened.prepare(waveform.read(given.raw / file)) for file in track(files, "evaluate")]
    yield opened.predict_waveforms(prepared)


def _from_transcripts(opened: Model, files: list[str], given: Inputs) -> Iterator[Predictions]:
    texts = texts_by_file(transcripts.read(given.inputs))
    for start in track(range(0, len(files), BATCH_CLIPS), "evaluate"):
        yield opened.predict_texts([texts[file] for file in files[start : start + BATCH_CLIPS]])


def _draw(test: pd.DataFrame, history: pd.DataFrame, title: str, folder: Path) -> None:
    pairs = test[["digit", "predicted"]].set_axis(["actual", "predicted"], axis=1)
    atomic.write_text(folder / "confusion.csv", pairs.to_csv(index=False, lineterminator="\n"))
    counts = np.zeros((10, 10), dtype=np.int64)
    np.add.at(counts, (pairs["actual"].to_numpy(), pairs["predicted"].to_numpy()), 1)
    plots.confusion_matrix(counts, title, folder / "confusion.png")
    plots.curves(history, title, folder / "curves.png")

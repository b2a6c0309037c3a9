"""Robustness of a model: its metrics on corrupted test clips, compared with the same clips without corruption."""

from collections.abc import Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from rich.progress import track

from audiomnist.audio import waveform
from audiomnist.audio.waveform import Waveform
from audiomnist.core import atomic
from audiomnist.core.digits import CLASSES
from audiomnist.core.errors import AudiomnistError
from audiomnist.core.processes import available_cores, process_pool
from audiomnist.corpus import splits
from audiomnist.corpus.splits import Clip
from audiomnist.evaluation.metrics import expected_calibration_error, mcnemar_p, rounded, wilson_interval
from audiomnist.evaluation.names import TITLES
from audiomnist.robustness import corruptions, plots
from audiomnist.robustness.conditions import Condition, RobustnessParams, conditions
from audiomnist.robustness.ood import evaluate_ood, predict_in_batches
from audiomnist.serving.cascade import Cascade, load
from audiomnist.serving.model import Model
from audiomnist.serving.predictor import Predict, predictor

_UNIFORM = np.full(CLASSES, 1 / CLASSES)


class RobustnessError(AudiomnistError):
    """A model cannot be evaluated on corrupted clips."""


@dataclass(frozen=True, eq=False)
class RobustnessSet:
    """The test clips and their corruptions.

    Attributes:
        clips: the test set.
        recordings: waveforms, by file.
        params: the corruptions.
    """

    clips: Sequence[Clip]
    recordings: dict[str, Waveform]
    params: RobustnessParams

    @property
    def selected(self) -> list[Clip]:
        """The clips that are corrupted, evenly spaced."""
        count = min(self.params.clips, len(self.clips))
        return [self.clips[index * len(self.clips) // count] for index in range(count)]

    def corrupted(self, clip: Clip, number: int) -> Waveform:
        """Return a clip under the condition of that number."""
        condition = conditions(self.params, self._others(clip))[number]
        return condition.corrupt(self.recordings[clip.file], corruptions.generator(self.params.seed, clip.file))

    def _others(self, clip: Clip) -> list[Waveform]:
        """Return the recordings of other speakers; of the same speaker if there is no other."""
        others = [other for other in self.clips if other.speaker != clip.speaker]
        others = others or [other for other in self.clips if other.file != clip.file]
        return [self.recordings[other.file] for other in others]


class ConditionResult(NamedTuple):
    """Result under one condition: whether each prediction is correct, `(clips,)`, and probabilities, `(clips, 10)`.

    A clip without a prediction is not correct, and its probabilities are uniform. `asked`, `(clips,)`, says whether a
    cascade asked its second model; None for other models.
    """

    correct: NDArray[np.bool_]
    probabilities: NDArray[np.float64]
    asked: NDArray[np.bool_] | None = None


# The model and the clips of a process of the pool.
_started: list[tuple[Model | Cascade, Predict, RobustnessSet]] = []


def evaluate_robustness(
    model: Path, raw: Path, split: Path, params: RobustnessParams, report: Path, table: Path, plot: Path
) -> None:
    """Evaluate a model under each condition, in as many processes as there are cores.

    Args:
        model: the folder of the bundle.
        raw: the folder of recordings.
        split: CSV with the subset of each clip.
        params: the corruptions.
        report: JSON to write, under the model's name nested by kind and strength: `accuracy` with its Wilson interval
            (`accuracy_low`, `accuracy_high`), `ece`, mean `confidence`, `mcnemar_p` (exact, compared with the clean
            condition), `clips`, and of a cascade `asked`, the share of clips about which its second model was asked;
            and `ood`, for sounds that are not digits (`evaluate_ood`).
        table: CSV to write, the same with a row per condition.
        plot: PNG to write.

    Raises:
        RobustnessError: the test set has fewer than two clips, or a process died.
        BadAudioError: a recording cannot be read.
        BundleError: the bundle cannot be opened.
        RecognitionError: its speech recognizer cannot be loaded.
    """
    opened = load(model, threads=1)
    predict = predictor(opened)  # raises here what would only break the pool below
    name = opened.description.model
    clips = _test_clips(split)
    test_set = RobustnessSet(clips, {clip.file: waveform.read(raw / clip.file) for clip in clips}, params)
    every = conditions(params, [])
    scored = scores(list(_results(model, test_set, len(every), f"robustness of {name}")))
    ood = rounded(evaluate_ood(predict, list(test_set.recordings.values()), f"sounds that are no digits: {name}"))
    atomic.write_json(report, {name: _nested(every, scored) | {"ood": ood}})
    rows = _rows(every, scored)
    atomic.write_text(table, rows.to_csv(index=False, lineterminator="\n"))
    title = (
        f"{TITLES.get(name, name)}: {len(test_set.selected)} test clips, disturbed\n{opened.description.dataset.name}"
    )
    plots.draw(every, rows, title, plot)


def start(model: Path, test_set: RobustnessSet) -> None:
    """Load the model and keep the clips in this process."""
    opened = load(model, threads=1)
    _started[:] = [(opened, predictor(opened), test_set)]


def evaluate_condition(number: int) -> ConditionResult:
    """Return the result of this process's model under the condition of that number."""
    model, predict, test_set = _started[0]
    predictions = predict_in_batches(predict, [test_set.corrupted(clip, number) for clip in test_set.selected])
    correct = [
        prediction is not None and prediction.probabilities.argmax() == clip.digit
        for prediction, clip in zip(predictions, test_set.selected, strict=True)
    ]
    probabilities = [_UNIFORM if prediction is None else prediction.probabilities for prediction in predictions]
    asked = np.array([prediction is None or prediction.is_fused for prediction in predictions])
    return ConditionResult(
        np.array(correct, dtype=np.bool_),
        np.array(probabilities, dtype=np.float64),
        asked if isinstance(model, Cascade) else None,
    )


def scores(results: Sequence[ConditionResult]) -> list[dict[str, float]]:
    """Return the scores of each result, the first of which is that of the clean clips; see `evaluate_robustness`."""
    return [rounded(_scores(result, results[0].correct)) for result in results]


def _test_clips(split: Path) -> list[Clip]:
    clips = [clip for clip in splits.read(split) if clip.subset == "test"]
    if len(clips) < 2:  # noqa: PLR2004 - a clip, and another for its babble
        raise RobustnessError(
            f"{split}: the test set has {len(clips)} clip(s), but the babble behind each needs another: "
            "raise split.test_fraction"
        )
    return clips


def _results(model: Path, test_set: RobustnessSet, count: int, task: str) -> Iterator[ConditionResult]:
    """Yield the result of each condition, in their order."""
    try:
        with process_pool(min(available_cores(), count), start, model, test_set) as pool:
            yield from track(pool.map(evaluate_condition, range(count)), task, total=count)
    except BrokenProcessPool as error:
        raise RobustnessError(
            f"a process that evaluated {model} died, perhaps because memory ran out: run the stage again"
        ) from error


def _scores(result: ConditionResult, clean: NDArray[np.bool_]) -> dict[str, float]:
    correct, probabilities, asked = result
    low, high = wilson_interval(int(correct.sum()), len(correct))
    return {
        "accuracy": float(correct.mean()),
        "accuracy_low": low,
        "accuracy_high": high,
        "ece": expected_calibration_error(probabilities, correct),
        "confidence": float(probabilities.max(axis=1).mean()),
        "mcnemar_p": mcnemar_p(clean.tolist(), correct.tolist()),
        "clips": len(correct),
    } | ({} if asked is None else {"asked": float(asked.mean())})


def _nested(conditions: Sequence[Condition], scored: Sequence[dict[str, float]]) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for condition, row in zip(conditions, scored, strict=True):
        parent = nested
        for kind in condition.kinds:
            parent = parent.setdefault(kind, {})
        parent[condition.path[-1]] = row
    return nested


def _rows(conditions: Sequence[Condition], scored: Sequence[dict[str, float]]) -> pd.DataFrame:
    return pd.DataFrame(
        {"kind": "_".join(condition.kinds) or condition.strength, "condition": condition.path[-1], **row}
        for condition, row in zip(conditions, scored, strict=True)
    )

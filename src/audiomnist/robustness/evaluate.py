"""How a model bears what happens to recordings: the test clips under each disturbance, beside the same clips clean."""

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
from audiomnist.evaluation import metrics as evaluation
from audiomnist.evaluation.names import TITLES
from audiomnist.robustness import corruptions, plots
from audiomnist.robustness.conditions import Condition, RobustnessParams, conditions
from audiomnist.robustness.ood import evaluate_ood
from audiomnist.serving import model as inference
from audiomnist.serving.predictor import Predict, predictor

_BATCH_CLIPS = 32
_NO_ANSWER = np.full(CLASSES, 1 / CLASSES)


class RobustnessError(AudiomnistError):
    """A model cannot be judged on disturbed clips."""


@dataclass(frozen=True, eq=False)
class Trial:
    """The clips that a model is judged on, and what happens to them.

    Attributes:
        clips: all of the test part.
        recordings: theirs, by file.
        how: the disturbances.
    """

    clips: Sequence[Clip]
    recordings: dict[str, Waveform]
    how: RobustnessParams

    @property
    def chosen(self) -> list[Clip]:
        """The clips that are disturbed, evenly spaced."""
        count = min(self.how.clips, len(self.clips))
        return [self.clips[number * len(self.clips) // count] for number in range(count)]

    def disturbed(self, clip: Clip, number: int) -> Waveform:
        """Return a clip under the condition of that number."""
        condition = conditions(self.how, self._others(clip))[number]
        return condition.disturb(self.recordings[clip.file], corruptions.generator(self.how.seed, clip.file))

    def _others(self, clip: Clip) -> list[Waveform]:
        """Return the recordings of other speakers; of the same one if there is no other."""
        others = [other for other in self.clips if other.speaker != clip.speaker]
        others = others or [other for other in self.clips if other.file != clip.file]
        return [self.recordings[other.file] for other in others]


class Outcome(NamedTuple):
    """Under one condition: whether each clip was answered rightly, `(clips,)`, and what was said, `(clips, 10)`.

    A clip without an answer counts as wrong, its probabilities as equal.
    """

    right: NDArray[np.bool_]
    probabilities: NDArray[np.float64]


_started: list[tuple[Predict, Trial]] = []


def robustness(
    model: Path, raw: Path, split: Path, how: RobustnessParams, metrics: Path, table: Path, plot: Path
) -> None:
    """Judge a bundle on the test clips under each condition, in as many processes as there are cores.

    Args:
        model: the bundle's folder.
        raw: the folder of recordings.
        split: the CSV that says which clip stands in which part.
        how: the disturbances.
        metrics: JSON to write, under the model's name nested by kind and strength: `accuracy` with its Wilson interval
            (`accuracy_low`, `accuracy_high`), `ece`, mean `confidence`, `mcnemar_p` (exact, against the same clips
            undisturbed) and `clips`; and `ood`, of sounds that are no digits (`evaluate_ood`).
        table: CSV to write, the same with a row per condition.
        plot: PNG to write.

    Raises:
        RobustnessError: the test part has fewer than two clips, or a process died.
        BadAudioError: a recording cannot be read.
        BundleError: the bundle cannot be opened.
        RecognitionError: its recognizer cannot be loaded.
    """
    opened = inference.load(model, threads=1)
    hear = predictor(opened)  # an error here names its cause; in a process of a pool it would only break the pool
    name = opened.description.model
    clips = _test_clips(split)
    trial = Trial(clips, {clip.file: waveform.read(raw / clip.file) for clip in clips}, how)
    under = conditions(how, [])
    scored = scores(list(_outcomes(model, trial, len(under), f"robustness of {name}")))
    ood = evaluation.rounded(evaluate_ood(hear, list(trial.recordings.values()), f"sounds that are no digits: {name}"))
    atomic.write_json(metrics, {name: _nested(under, scored) | {"ood": ood}})
    rows = _rows(under, scored)
    atomic.write_text(table, rows.to_csv(index=False, lineterminator="\n"))
    title = f"{TITLES.get(name, name)}: {len(trial.chosen)} test clips, disturbed\n{opened.description.dataset.name}"
    plots.draw(under, rows, title, plot)


def start(model: Path, trial: Trial) -> None:
    """Give this process the model and the clips."""
    _started[:] = [(predictor(inference.load(model, threads=1)), trial)]


def judge(number: int) -> Outcome:
    """Return how this process's model does under the condition of that number."""
    hear, trial = _started[0]
    sounds = [trial.disturbed(clip, number) for clip in trial.chosen]
    batches = [hear(sounds[first : first + _BATCH_CLIPS]) for first in range(0, len(sounds), _BATCH_CLIPS)]
    answers = [answer for batch in batches for answer in batch]
    said = [_NO_ANSWER if answer is None else answer.probabilities for answer in answers]
    right = [
        answer is not None and answer.probabilities.argmax() == clip.digit
        for answer, clip in zip(answers, trial.chosen, strict=True)
    ]
    return Outcome(np.array(right, dtype=np.bool_), np.array(said, dtype=np.float64))


def scores(outcomes: Sequence[Outcome]) -> list[dict[str, float]]:
    """Return the scores of each outcome, the first of which is that of the undisturbed clips; see `robustness`."""
    return [evaluation.rounded(_scores(outcome, outcomes[0].right)) for outcome in outcomes]


def _test_clips(split: Path) -> list[Clip]:
    clips = [clip for clip in splits.read(split) if clip.subset == "test"]
    if len(clips) < 2:  # noqa: PLR2004 - one to hear, one to babble
        raise RobustnessError(
            f"{split}: the test part has {len(clips)} clip(s), and two are needed, since others babble behind each: "
            "raise split.test_fraction"
        )
    return clips


def _outcomes(model: Path, trial: Trial, count: int, task: str) -> Iterator[Outcome]:
    """Yield the outcome of each condition, in their order."""
    try:
        with process_pool(min(available_cores(), count), start, model, trial) as started:
            yield from track(started.map(judge, range(count)), task, total=count)
    except BrokenProcessPool as error:
        raise RobustnessError(
            f"a process that judged {model} died, perhaps for want of memory: run the stage again"
        ) from error


def _scores(outcome: Outcome, clean: NDArray[np.bool_]) -> dict[str, float]:
    right, probabilities = outcome
    low, high = evaluation.wilson_interval(int(right.sum()), len(right))
    return {
        "accuracy": float(right.mean()),
        "accuracy_low": low,
        "accuracy_high": high,
        "ece": evaluation.expected_calibration_error(probabilities, right),
        "confidence": float(probabilities.max(axis=1).mean()),
        "mcnemar_p": evaluation.mcnemar_p(clean.tolist(), right.tolist()),
        "clips": len(right),
    }


def _nested(conditions: Sequence[Condition], scored: Sequence[dict[str, float]]) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for condition, row in zip(conditions, scored, strict=True):
        place = nested
        for kind in condition.kinds:
            place = place.setdefault(kind, {})
        place[condition.path[-1]] = row
    return nested


def _rows(conditions: Sequence[Condition], scored: Sequence[dict[str, float]]) -> pd.DataFrame:
    return pd.DataFrame(
        {"kind": "_".join(condition.kinds) or condition.strength, "condition": condition.path[-1], **row}
        for condition, row in zip(conditions, scored, strict=True)
    )

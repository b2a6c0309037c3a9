"""Section 5: every test clip that a model gets wrong, with what explains it."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from audiomnist.audio import waveform
from audiomnist.core.digits import PROBABILITIES
from audiomnist.corpus.splits import Clip
from audiomnist.evaluation.names import TITLES
from audiomnist.features.front_end import FrontEndParams
from audiomnist.logprobs import table as logprobs
from audiomnist.page import pictures
from audiomnist.page.clips import Clips
from audiomnist.transcripts import table as transcripts

MAX_MISTAKES = 300
NEIGHBOURS = 3


@dataclass(frozen=True)
class Answer:
    """What a model says of a clip."""

    model: str
    title: str
    predicted: int
    is_right: bool
    confidence: float
    ood_score: float
    probabilities: Sequence[float]


@dataclass(frozen=True)
class Neighbour:
    """A training clip that is near a test clip."""

    file: str
    digit: int
    speaker: str
    distance: float
    number: int


@dataclass(frozen=True)
class Mistake:
    """A test clip that at least one model gets wrong."""

    file: str
    digit: int
    speaker: str
    number: int
    picture: str | None
    duration_s: float
    answers: Sequence[Answer]
    hypotheses: Sequence[str]
    neighbours: Sequence[Neighbour]

    @property
    def wrong(self) -> list[str]:
        """The models that are wrong."""
        return [answer.model for answer in self.answers if not answer.is_right]

    @property
    def confidence(self) -> float:
        """The highest confidence of a wrong answer."""
        return max(answer.confidence for answer in self.answers if not answer.is_right)


def section(
    predictions: Mapping[str, pd.DataFrame],
    split: Sequence[Clip],
    raw: Path,
    texts: Path,
    recognized: Path,
    front_end: FrontEndParams,
    clips: Clips,
) -> dict[str, Any]:
    """Return the mistakes, those of most models first, with sounds and pictures within the budget of `clips`."""
    files = _wrong_files(predictions)
    shown = files[:MAX_MISTAKES]
    neighbours = nearest(recognized, shown, split, NEIGHBOURS)
    hypotheses = _hypotheses(texts)
    rows = {model: {row["file"]: row for row in table.to_dict("records")} for model, table in predictions.items()}
    clips.embed(shown)
    clips.embed(clip.file for file in shown for clip, _ in neighbours[file])
    mistakes = []
    for file in shown:
        recording = waveform.read(raw / file)
        first = next(iter(rows.values()))[file]
        mistakes.append(
            Mistake(
                file,
                int(first["digit"]),
                str(first["speaker"]),
                clips.number(file),
                clips.within_budget(pictures.spectrogram(recording, front_end)),
                recording.duration_s,
                [_answer(model, table[file]) for model, table in rows.items()],
                hypotheses.get(file, []),
                [
                    Neighbour(clip.file, clip.digit, clip.speaker, distance, clips.number(clip.file))
                    for clip, distance in neighbours[file]
                ],
            )
        )
    return {
        "mistakes": mistakes,
        "left_out": len(files) - len(shown),
        "models": {model: title for model, title in TITLES.items() if any(model in row.wrong for row in mistakes)},
        "digits": sorted({row.digit for row in mistakes}),
        "speakers": sorted({row.speaker for row in mistakes}),
        "test_clips": len(next(iter(predictions.values()))),
    }


def _wrong_files(predictions: Mapping[str, pd.DataFrame]) -> list[str]:
    """Return the files that a model gets wrong: those of most models first, then by the confidence of the error."""
    wrong = pd.concat([table[table["predicted"] != table["digit"]] for table in predictions.values()])
    by_file = wrong.groupby("file")["confidence"].agg(["size", "max"]).reset_index()
    ordered = by_file.sort_values(["size", "max", "file"], ascending=[False, False, True])
    return [str(file) for file in ordered["file"]]


def _answer(model: str, row: Mapping[Hashable, Any]) -> Answer:
    return Answer(
        model,
        TITLES[model],
        int(row["predicted"]),
        bool(row["predicted"] == row["digit"]),
        float(row["confidence"]),
        float(row["ood_score"]),
        [float(row[name]) for name in PROBABILITIES],
    )


def _hypotheses(folder: Path) -> dict[str, list[str]]:
    table = transcripts.read(folder)
    columns = zip(table["file"].to_pylist(), table["hypotheses"].to_pylist(), strict=True)
    return {file: [hypothesis["text"] for hypothesis in found] for file, found in columns}


def nearest(
    folder: Path, files: Sequence[str], split: Sequence[Clip], count: int
) -> dict[str, list[tuple[Clip, float]]]:
    """Return the training clips that are nearest to some clips, with their distances, nearest first.

    Near are clips whose log-probabilities of the recognizer's first token are: each token's is standardized over
    the training clips, and the distance is the root of the mean squared difference.

    Args:
        folder: of the table of log-probabilities.
        files: of the clips.
        split: subsets of all clips.
        count: number of neighbours.
    """
    table, _ = logprobs.read(folder)
    rows = {file: row for row, file in enumerate(table["file"].to_pylist())}
    values = np.array(table["logprobs"].to_pylist(), dtype=np.float64)
    train = [clip for clip in split if clip.subset == "train" and clip.file in rows]
    known = values[[rows[clip.file] for clip in train]]
    deviation = known.std(axis=0)
    mean, scale = known.mean(axis=0), np.where(deviation > 0, deviation, 1)
    standardized = (known - mean) / scale
    found = {}
    for file in files:
        distances = np.sqrt((((values[rows[file]] - mean) / scale - standardized) ** 2).mean(axis=1))
        order = np.argsort(distances, kind="stable")[:count]
        found[file] = [(train[index], float(distances[index])) for index in order]
    return found

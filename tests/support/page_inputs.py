"""Inputs of the report page: a small corpus, predictions of five models with mistakes, and the committed reports."""

import json
import shutil
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import committed
import numpy as np
import pandas as pd
import pyarrow as pa
import soundfile

from audiomnist.core.digits import CLASSES, DIGIT_WORDS, PROBABILITIES
from audiomnist.corpus import splits
from audiomnist.corpus.splits import Clip
from audiomnist.evaluation.names import TITLES
from audiomnist.logprobs import table as logprobs
from audiomnist.page.build import page
from audiomnist.transcripts import table as transcripts

RATE_HZ = 8000
SPEAKERS = ("ada", "bob")
HOSTILE_FILE = "7_<img src=x onerror=hostile()>'\"&_9.wav"
HOSTILE_TEXT = "</script><script>window.hostile = 1</script>"
HOSTILE_NAME = 'digits <img src=x onerror="window.hostile = 1"> | `x`'


@dataclass(frozen=True)
class PageInputs:
    """A folder of inputs, and what the page is made in."""

    folder: Path

    @property
    def reports(self) -> Path:
        """The folder of reports."""
        return self.folder / "reports"

    @property
    def card(self) -> str:
        """The model card."""
        return (self.folder / "model_card.md").read_text(encoding="utf-8")

    def build(self, **changes: Any) -> str:
        """Make the page; return its HTML."""
        data = {name: self.folder / name for name in ("raw", "predictions", "transcripts", "logprobs", "reports")}
        page(
            parameters=committed.ROOT / "params.yaml",
            split=self.folder / "split.csv",
            out=self.folder / "page",
            card_out=self.folder / "model_card.md",
            **(data | changes),
        )
        return (self.folder / "page" / "index.html").read_text(encoding="utf-8")


def write(folder: Path) -> PageInputs:
    """Write the inputs: of each digit and speaker two training clips and a validation clip and a test clip."""
    subsets = ("train", "train", "validation", "test")
    clips = [
        Clip(f"{digit}_{speaker}_{take}.wav", digit, speaker, subset)
        for digit, speaker, (take, subset) in product(range(CLASSES), SPEAKERS, enumerate(subsets))
    ]
    clips.append(Clip(HOSTILE_FILE, 7, "ada", "test"))
    rng = np.random.default_rng(0)
    (folder / "raw").mkdir(parents=True)
    for clip in clips:
        soundfile.write(folder / "raw" / clip.file, _sound(clip, rng), RATE_HZ, subtype="PCM_16")
    splits.write(folder / "split.csv", clips)
    _write_predictions(folder / "predictions", [clip for clip in clips if clip.subset == "test"], rng)
    _write_tables(folder, clips, rng)
    shutil.copytree(committed.ROOT / "reports", folder / "reports")
    return PageInputs(folder)


def rename_dataset(reports: Path, name: str) -> None:
    """Give the dataset another name in the report that the page reads it from."""
    path = reports / "data.json"
    report = json.loads(path.read_text(encoding="utf-8"))
    report["corpus"]["dataset"] = name
    path.write_text(json.dumps(report), encoding="utf-8")


def _sound(clip: Clip, rng: np.random.Generator) -> Any:
    """Return 0.3 to 0.5 seconds of a tone whose pitch is the digit's, with some noise."""
    time_s = np.arange(int(rng.uniform(0.3, 0.5) * RATE_HZ)) / RATE_HZ
    tone = np.sin(2 * np.pi * (200 + 150 * clip.digit) * time_s)
    return 0.4 * tone * np.hanning(len(time_s)) + 0.01 * rng.normal(size=len(time_s))


def _write_predictions(folder: Path, clips: list[Clip], rng: np.random.Generator) -> None:
    """Write predictions: each model is wrong about two clips of its own, and about the hostile one."""
    folder.mkdir()
    for number, model in enumerate(TITLES):
        probabilities = np.full((len(clips), CLASSES), 0.01)
        wrong = {2 * number, 2 * number + 1, len(clips) - 1}
        for row, clip in enumerate(clips):
            probabilities[row, (clip.digit + 1) % CLASSES if row in wrong else clip.digit] = rng.uniform(0.5, 0.9)
        probabilities /= probabilities.sum(axis=1, keepdims=True)
        table = pd.DataFrame(clips)[["file", "speaker", "digit"]].assign(predicted=probabilities.argmax(axis=1))
        table[PROBABILITIES] = probabilities
        table.assign(ood_score=rng.normal(size=len(clips))).to_parquet(folder / f"{model}.parquet", index=False)


def _write_tables(folder: Path, clips: list[Clip], rng: np.random.Generator) -> None:
    """Write transcripts, and log-probabilities by which clips of a digit are near each other."""
    (folder / "transcripts").mkdir()
    (folder / "logprobs").mkdir()
    rows = []
    for clip in clips:
        texts = [DIGIT_WORDS[clip.digit], HOSTILE_TEXT if clip.file == HOSTILE_FILE else "Bye."]
        hypotheses = [{"text": text, "score": -float(rank)} for rank, text in enumerate(texts)]
        rows.append({"file": clip.file, "status": "recognized", "text": texts[0], "hypotheses": hypotheses})
    transcripts.write(folder / "transcripts", pa.Table.from_pylist(rows, transcripts.SCHEMA))
    values = [-5 + 4 * (np.arange(CLASSES) == clip.digit) + 0.1 * rng.normal(size=CLASSES) for clip in clips]
    listed = [{"file": clip.file, "logprobs": row.tolist()} for clip, row in zip(clips, values, strict=True)]
    logprobs.write(folder / "logprobs", listed, {"tokens": [*DIGIT_WORDS]})

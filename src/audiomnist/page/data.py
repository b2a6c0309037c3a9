"""Section 4: the recordings, their durations and pictures, and what the gates found."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from audiomnist.audio import waveform
from audiomnist.core.digits import CLASSES, DIGIT_WORDS
from audiomnist.core.text import listed
from audiomnist.corpus.splits import SUBSETS, Clip
from audiomnist.features.front_end import FrontEndParams
from audiomnist.page import charts, pictures
from audiomnist.page.clips import Clips
from audiomnist.page.components import Chart, Table
from audiomnist.page.groups import digits_of
from audiomnist.page.inputs import Reports

_GATES = ("recordings", "features", "transcripts", "logprobs")
_BIN_S = 0.05


@dataclass(frozen=True)
class Example:
    """A recording of a digit, with its pictures as WebP in base64."""

    digit: int
    word: str
    file: str
    speaker: str
    duration_s: float
    number: int
    waveform: str | None
    mel: str | None
    mfcc: str | None


def section(
    reports: Reports,
    split: Sequence[Clip],
    raw: Path,
    front_end: FrontEndParams,
    bounds: Mapping[str, Mapping[str, Any]],
    clips: Clips,
) -> dict[str, Any]:
    """Return the tables, pictures and charts."""
    table = pd.DataFrame([(clip.file, clip.digit, clip.speaker, clip.subset) for clip in split])
    table.columns = pd.Index(["file", "digit", "speaker", "subset"])
    table["duration_s"] = [waveform.read(raw / file).duration_s for file in table["file"]]
    return {
        "corpus": reports.required("data.json")["corpus"],
        "counts": digits_of(table),
        "subsets": _subsets(table),
        "durations": _durations(table),
        "examples": [_example(table, digit, raw, front_end, clips) for digit in range(CLASSES)],
        "front_end": front_end,
        "mfccs": pictures.MFCCS,
        "gates": _gates(reports),
        "bounds": [_bounds(gate, values) for gate, values in bounds.items()],
        "missing": reports.notes("validation"),
    }


def _subsets(table: pd.DataFrame) -> Table:
    counts = pd.crosstab(table["speaker"], table["subset"]).reindex(columns=[*SUBSETS], fill_value=0)
    quantiles = {name: np.quantile(rows["duration_s"], [0.05, 0.5, 0.95]) for name, rows in table.groupby("speaker")}
    rows = [
        (str(name), *map(str, row), *(f"{value:.2f}" for value in quantiles[str(name)]))
        for name, row in counts.iterrows()
    ]
    head = ("speaker", *SUBSETS, "duration: 5%, s", "median, s", "95%, s")
    return Table("Recordings by subset, and quantiles of their durations", head, rows)


def _durations(table: pd.DataFrame) -> Chart:
    durations_s = table["duration_s"].to_numpy()
    edges = np.arange(np.floor(durations_s.min() / _BIN_S), np.ceil(durations_s.max() / _BIN_S) + 1) * _BIN_S
    counts, _ = np.histogram(durations_s, edges)
    rows = [
        {"start": round(float(start), 3), "end": round(float(start) + _BIN_S, 3), "clips": int(count)}
        for start, count in zip(edges[:-1], counts, strict=True)
    ]
    low, median, high = np.quantile(durations_s, [0.05, 0.5, 0.95])
    label = (
        f"Durations of {len(table):,} recordings: median {median:.2f} s, nine in ten {low:.2f} to {high:.2f} s, "
        f"longest {durations_s.max():.2f} s."
    )
    return Chart("durations", "Durations", label, charts.histogram(rows, "duration, s"))


def _example(table: pd.DataFrame, digit: int, raw: Path, params: FrontEndParams, clips: Clips) -> Example | None:
    """Return the recording of a digit whose duration is the median, the first in order of names of several."""
    of_digit = table[table["digit"] == digit].sort_values("file")
    if of_digit.empty:
        return None
    distance = (of_digit["duration_s"] - of_digit["duration_s"].median()).abs()
    row = of_digit.iloc[int(distance.to_numpy().argmin())]
    recording = waveform.read(raw / row["file"])
    clips.embed([row["file"]])
    drawn = (pictures.waveform(recording), pictures.spectrogram(recording, params), pictures.mfccs(recording, params))
    return Example(
        digit,
        DIGIT_WORDS[digit],
        row["file"],
        row["speaker"],
        recording.duration_s,
        clips.number(row["file"]),
        *(clips.within_budget(picture) for picture in drawn),
    )


def _gates(reports: Reports) -> Table:
    found = {gate: reports.json(f"validation/{gate}.json") for gate in _GATES}
    rows = [
        (gate, f"{numbers['rows']:,}", str(numbers["expectations"]), str(numbers["unmet"]))
        for gate, report in found.items()
        if report is not None and (numbers := report["validation"][gate])
    ]
    return Table("What the data gates found", ("data", "rows", "expectations", "unmet"), rows)


def _bounds(gate: str, values: Mapping[str, Any]) -> str:
    texts = [f"{name} {'any' if value is None else value}" for name, value in values.items()]
    return f"{gate}: {', '.join(texts)}"


def speakers_of(split: Sequence[Clip]) -> str:
    """Return the names of the speakers."""
    return listed(sorted({clip.speaker for clip in split}))

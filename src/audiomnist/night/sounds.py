"""The files of a night that its page shows, with sound and spectrogram where they can be had."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from audiomnist.audio import wav, waveform
from audiomnist.audio.waveform import Waveform
from audiomnist.core.digits import PROBABILITIES
from audiomnist.core.errors import FaultError
from audiomnist.features.front_end import FrontEndParams
from audiomnist.page import pictures
from audiomnist.page.clips import Clips
from audiomnist.review import clips as inbox_files
from audiomnist.review.judgements import NO_DIGIT, Judgement
from audiomnist.scoring.inbox.paths import shown

_GUESSES = 3
_NO_INBOX = "is not on the page, which was made without --inbox"
# Of the pictures: windows of 32 ms every 4 ms, up to 4 kHz, as telephones have it.
_PICTURE = FrontEndParams(
    sample_rate_hz=8000,
    win_length=256,
    hop_length=32,
    n_fft=512,
    n_mels=64,
    f_min=50.0,
    f_max=4000.0,
    n_mfcc=13,
    amin=1e-10,
    trim_top_db=60.0,
    max_duration_s=10.0,
)


@dataclass(frozen=True)
class File:
    """A file of the night.

    Attributes:
        name: its path, as text for a page.
        number: of its sound on the page; None if it has none, for the reason `absent`.
        picture: spectrogram in base64; None if there is none.
        label: by the model; None if it was withheld.
        guesses: the most probable digits and their probabilities.
        detail: duration and OOD score in words.
        heard: what a person heard, and who; None if nobody judged it.
        is_wrong: whether the label is not what was heard.
    """

    name: str
    number: int | None
    absent: str | None
    picture: str | None
    label: int | None
    guesses: list[tuple[int, float]]
    detail: str
    heard: str | None
    is_wrong: bool


class Sounds:
    """Reads files of an inbox, and embeds them on a page as far as its budget goes: those that are asked for first.

    Args:
        inbox: None for none.
        budget_bytes: of sounds and pictures, in base64.
    """

    def __init__(self, inbox: Path | None, budget_bytes: int) -> None:
        self._inbox = inbox
        self._recordings: dict[Path, Waveform] = {}
        self._absent: dict[str, str | None] = {}
        self._pictures: dict[str, str | None] = {}
        self._clips = Clips(Path(), budget_bytes, self._recordings.__getitem__)

    def files(self, rows: pd.DataFrame, heard: Mapping[str, Judgement]) -> list[File]:
        """Return files from rows of the table; `heard` has the last judgement by path."""
        return [self._file(row, heard.get(row["path"])) for row in rows.to_dict("records")]

    def content(self) -> list[tuple[str, str | None]]:
        """Return the content of the page's `clips`."""
        return [(shown(path), sound) for path, sound in self._clips.content()]

    def _file(self, row: Mapping[Any, Any], heard: Judgement | None) -> File:
        path = str(row["path"])
        if path not in self._absent:
            self._absent[path] = self._embed(path, str(row["content_sha256"]))
        absent = self._absent[path]
        guesses = sorted(((float(row[name]), digit) for digit, name in enumerate(PROBABILITIES)), reverse=True)
        label = int(row["digit"]) if row["status"] == "scored" else None
        return File(
            name=shown(path),
            number=None if absent else self._clips.number(path),
            absent=absent,
            picture=self._pictures.get(path),
            label=label,
            guesses=[(digit, probability) for probability, digit in guesses[:_GUESSES]],
            detail=f"{row['duration_s']:.2f} s, OOD score {row['ood_score']:.2f}",
            heard=f"{said(heard.label)}, by {heard.judged_by}" if heard else None,
            is_wrong=heard is not None and label is not None and heard.label != str(label),
        )

    def _embed(self, path: str, content_sha256: str) -> str | None:
        """Embed sound and picture of a file; return why there is no sound, or None."""
        if self._inbox is None:
            return _NO_INBOX
        try:
            content = inbox_files.playable(inbox_files.read(self._inbox, path, content_sha256))
        except FaultError as fault:
            return fault.detail
        recording = waveform.mixed(wav.parse(content))
        self._recordings[Path(path)] = recording
        self._clips.embed([path])
        if not self._clips.has(path):
            return "is left out, so that the page stays small"
        self._pictures[path] = self._clips.within_budget(_spectrogram(recording))
        return None


def said(label: str | None) -> str:
    """Return a label of a judgement in words."""
    return "no digit" if label == NO_DIGIT else str(label)


def _spectrogram(recording: Waveform) -> bytes:
    rate_hz = _PICTURE.sample_rate_hz
    return pictures.spectrogram(Waveform(waveform.resampled(recording, rate_hz), rate_hz), _PICTURE)

"""From files to rows of the table: each file is labelled, rejected with a reason, or deferred; none stops the others.

What a file gets depends on its content and the model alone: not on its neighbours, the batch, or the process that
reads it.
"""

import hashlib
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import reduce
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from audiomnist.audio import wav, waveform
from audiomnist.audio.wav import Sound
from audiomnist.audio.waveform import Waveform
from audiomnist.core.errors import FaultError
from audiomnist.scoring import records as rows
from audiomnist.scoring.decoding import checks
from audiomnist.scoring.decoding.checks import Extent, Limits
from audiomnist.scoring.decoding.decoder import decode_flac
from audiomnist.scoring.inbox import discover as inbox
from audiomnist.scoring.inbox import paths
from audiomnist.scoring.inbox.discover import Candidate, Deferred, NotReadError, Unusable
from audiomnist.scoring.records import Facts, Stamp, Verdict
from audiomnist.scoring.table.schema import SCHEMA
from audiomnist.serving.predictor import Answer, Hear

# Files that are labelled in one go, and what is rejected without being read.
Chunk = Sequence[Candidate | Unusable]

# How a file may look while another program still writes it, and how long it must have been left alone to be judged.
_UNFINISHED = {"empty", "not_audio", "truncated", "lying_sizes", "undecodable"}
_SETTLED_S = 2.0
# Sounds that are held before the model is asked about them, in bytes of samples: a compressed file may be small.
_HELD_BYTES = 64 * 2**20


@dataclass(frozen=True)
class Task:
    """What every file of a run is judged by; picklable, for processes of their own.

    Attributes:
        inbox: the folder that paths are relative to.
        bundle: the folder of the model.
        stamp: what all rows of the run share.
        limits: which sounds are taken.
    """

    inbox: Path
    bundle: Path
    stamp: Stamp
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True)
class Labelled:
    """What came of some files, each of which is among the rows or deferred.

    Attributes:
        rows: of the table.
        seconds: what each row took.
        deferred: files without a row.
    """

    rows: pa.Table
    seconds: list[float]
    deferred: list[Deferred]

    @classmethod
    def of_none(cls, deferred: list[Deferred]) -> "Labelled":
        """Return what came of files that are all deferred."""
        return cls(SCHEMA.empty_table(), [], deferred)

    def joined(self, other: "Labelled") -> "Labelled":
        """Return what came of both."""
        return Labelled(
            pa.concat_tables([self.rows, other.rows]),
            self.seconds + other.seconds,
            self.deferred + other.deferred,
        )


class _Read(NamedTuple):
    """A file that was read, and its sound, or what is wrong with it.

    `began` is when, in seconds since 1970; `seconds` is how long it took.
    """

    candidate: Candidate | Unusable
    facts: Facts
    sound: Waveform | FaultError
    began: float
    seconds: float


class _Made(NamedTuple):
    """A row in the making."""

    facts: Facts
    verdict: Verdict
    seconds: float


class Labeller:
    """A model, and what it takes to hear files with it; belongs to one thread."""

    def __init__(self, task: Task, hear: Hear) -> None:
        """Take what files are judged by, and its model, opened."""
        self._task = task
        self._hear = hear

    def label(self, candidates: Chunk) -> Labelled:
        """Read files and ask the model about the sounds in them."""
        parts = [self._labelled(self._settled(outcomes)) for outcomes in self._portions(candidates)]
        return reduce(Labelled.joined, parts) if parts else Labelled.of_none([])

    def _portions(self, candidates: Chunk) -> Iterator[list["_Read | Deferred"]]:
        """Yield files as they are read, so many at a time that their sounds fit into memory."""
        portion: list[_Read | Deferred] = []
        held_bytes = 0
        for candidate in candidates:
            item = self._read(candidate)
            portion.append(item)
            held_bytes += _sound_bytes(item)
            if held_bytes > _HELD_BYTES:
                yield portion
                portion, held_bytes = [], 0
        if portion:
            yield portion

    def _labelled(self, outcomes: list["_Read | Deferred"]) -> Labelled:
        read = [item for item in outcomes if isinstance(item, _Read)]
        made = self._judged(read)
        batch = [(item.facts, item.verdict) for item in made if isinstance(item, _Made)]
        return Labelled(
            rows.table(batch, self._task.stamp, datetime.now(UTC)),
            [item.seconds for item in made if isinstance(item, _Made)],
            [item for item in (*outcomes, *made) if isinstance(item, Deferred)],
        )

    def _read(self, candidate: Candidate | Unusable) -> _Read | Deferred:
        began, start = time.time(), time.perf_counter()
        facts = Facts(paths.text(candidate.path), candidate.size_bytes, candidate.modified_ns)
        sound: Waveform | FaultError
        try:
            facts, sound = self._sound(facts, inbox.read(self._task.inbox, candidate, self._task.limits.max_bytes))
        except NotReadError as error:
            if isinstance(error.outcome, Deferred):
                return error.outcome
            sound = FaultError(error.outcome.reason, error.outcome.sentence)
        return _Read(candidate, facts, sound, began, time.perf_counter() - start)

    def _sound(self, facts: Facts, content: bytes) -> tuple[Facts, Waveform | FaultError]:
        """Return the sound in a content, or its fault, and the facts with what was learned on the way."""
        facts = facts._replace(content_sha256=hashlib.sha256(content).hexdigest())
        try:
            sound = self._decoded(content)
            extent = Extent.of(sound)
            facts = _described(facts, sound, extent)
            checks.check(sound, extent, self._task.limits)
            mixture = waveform.mixed(sound)
            if facts.channels != 1:
                checks.check_mixture(mixture, self._task.limits)
        except FaultError as fault:
            return facts, fault
        return facts, mixture

    def _decoded(self, content: bytes) -> Sound:
        decode = wav.parse if wav.is_riff(content) else decode_flac
        return decode(content, self._task.limits.max_duration_s)

    def _settled(self, outcomes: list[_Read | Deferred]) -> list[_Read | Deferred]:
        """Read files again that look unfinished and were modified a moment ago, once they could have gone on."""
        if any(map(_is_suspect, outcomes)):
            time.sleep(_SETTLED_S)
        return [
            self._read(item.candidate) if isinstance(item, _Read) and _is_suspect(item) else item for item in outcomes
        ]

    def _judged(self, read: Sequence[_Read]) -> list[_Made | Deferred]:
        sounds = [item.sound for item in read if isinstance(item.sound, Waveform)]
        began = time.perf_counter()
        answers = iter(self._hear(sounds) if sounds else [])
        seconds = (time.perf_counter() - began) / max(1, len(sounds))
        judged: list[_Made | Deferred] = []
        for item in read:
            if isinstance(item.sound, FaultError):
                verdict = rows.rejected(item.facts.path, item.sound.reason, item.sound.sentence)
                judged.append(_Made(item.facts, verdict, item.seconds))
            else:
                judged.append(self._answered(item, next(answers), seconds))
        return judged

    def _answered(self, item: _Read, answer: Answer | None, seconds: float) -> _Made | Deferred:
        if answer is None:
            return Deferred(
                item.candidate.path, "recogniser_failed", "was read, but the speech recogniser failed on it"
            )
        return _Made(item.facts, rows.answered(answer, self._task.stamp.min_confidence), item.seconds + seconds)


def _described(facts: Facts, sound: Sound, extent: Extent) -> Facts:
    frames, channels = sound.samples.shape
    return facts._replace(
        duration_s=frames / sound.sample_rate_hz,
        sample_rate_hz=sound.sample_rate_hz,
        channels=channels,
        peak=extent.peak if math.isfinite(extent.peak) else None,
    )


def _sound_bytes(item: _Read | Deferred) -> int:
    return item.sound.samples.nbytes if isinstance(item, _Read) and isinstance(item.sound, Waveform) else 0


def _is_suspect(item: _Read | Deferred) -> bool:
    if isinstance(item, Deferred) or not isinstance(item.sound, FaultError) or item.sound.reason not in _UNFINISHED:
        return False
    return abs(item.began - item.facts.modified_ns / 1e9) < _SETTLED_S

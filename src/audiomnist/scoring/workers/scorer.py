"""Scoring of files: each gets a row (label or rejection) or is deferred, and none affects another.

The outcome of a file depends only on its content and the model: not on its neighbours, the batch, or the process.
"""

import hashlib
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import NamedTuple

from audiomnist.audio import wav, waveform
from audiomnist.audio.waveform import Waveform
from audiomnist.core.errors import FaultError
from audiomnist.scoring import records
from audiomnist.scoring.decoding import checks
from audiomnist.scoring.decoding.decoder import decode_flac
from audiomnist.scoring.inbox import paths
from audiomnist.scoring.inbox.discover import Candidate, Deferred, Unusable
from audiomnist.scoring.inbox.inbox import Inbox
from audiomnist.scoring.records import FileInfo, FileResult
from audiomnist.serving.predictor import Predict

# Files that are scored together, including those that are rejected without being read.
Chunk = Sequence[Candidate | Unusable]

# Faults of a file that is still being written. One modified this recently, or such a stream, is read again.
_UNFINISHED = {"empty", "not_audio", "truncated", "inconsistent_header", "undecodable"}
_SETTLED_S = 2.0
_RECOGNIZER_FAILED = ("recognizer_failed", "was read, but the speech recognizer failed on it")
# Decoded samples in memory before the model is called; compressed files may be small.
_PORTION_BYTES = 64 * 2**20


@dataclass(frozen=True)
class ScoringTask:
    """Everything that scoring needs besides the files, which are in `inbox`; picklable, for workers.

    Labels with a confidence below `min_confidence` are withheld; `model_version` is the one that the run is for.
    """

    inbox: Inbox
    bundle: Path
    model_version: str
    min_confidence: float


@dataclass(frozen=True)
class ScoredChunk:
    """Results for some files, each of which gets a row or is deferred."""

    results: list[FileResult]
    deferred: list[Deferred]

    def joined(self, other: "ScoredChunk") -> "ScoredChunk":
        """Return the results of both."""
        return ScoredChunk(self.results + other.results, self.deferred + other.deferred)


class _ReadFile(NamedTuple):
    """A file that was read, with its audio or the fault in it.

    `read_at` is in seconds since 1970; `seconds` is the time that reading and decoding took. `may_be_unfinished` says
    that the content may be the beginning of a longer one, as in a folder; an object appears whole.
    """

    candidate: Candidate | Unusable
    info: FileInfo
    audio: Waveform | FaultError
    may_be_unfinished: bool
    read_at: float
    seconds: float


class Scorer:
    """Scores files with `predict`, the predictor of the task's model; for use by one thread."""

    def __init__(self, task: ScoringTask, predict: Predict) -> None:
        self._task = task
        self._predict = predict

    def score(self, files: Chunk) -> ScoredChunk:
        """Read files and predict their digits."""
        portions = (self._scored(self._settled(portion)) for portion in self._portions(files))
        return reduce(ScoredChunk.joined, portions, ScoredChunk([], []))

    def _portions(self, files: Chunk) -> Iterator[list[_ReadFile | Deferred]]:
        """Read files; yield them in portions of bounded memory."""
        portion: list[_ReadFile | Deferred] = []
        size_bytes = 0
        for file in self._read(files):
            portion.append(file)
            if isinstance(file, _ReadFile) and isinstance(file.audio, Waveform):
                size_bytes += file.audio.samples.nbytes
            if size_bytes > _PORTION_BYTES:
                yield portion
                portion, size_bytes = [], 0
        if portion:
            yield portion

    def _read(self, files: Chunk) -> Iterator[_ReadFile | Deferred]:
        """Yield each file with its audio or the fault in it, unless it cannot be read now."""
        contents = self._task.inbox.read(files, checks.MAX_BYTES)
        for candidate in files:
            read_at, start = time.time(), time.perf_counter()
            content = next(contents)
            if isinstance(content, Deferred):
                yield content
            else:
                info, audio, may_be_unfinished = _decoded(_found(candidate), content)
                yield _ReadFile(candidate, info, audio, may_be_unfinished, read_at, time.perf_counter() - start)

    def _settled(self, portion: list[_ReadFile | Deferred]) -> list[_ReadFile | Deferred]:
        """Wait, then read those files again that may be unfinished and were modified a moment ago."""
        if any(map(_is_suspect, portion)):
            time.sleep(_SETTLED_S)
        again = self._read([file.candidate for file in portion if isinstance(file, _ReadFile) and _is_suspect(file)])
        return [next(again) if _is_suspect(file) else file for file in portion]

    def _scored(self, portion: list[_ReadFile | Deferred]) -> ScoredChunk:
        """Return the results for files that were read; the model is called once."""
        deferred = [file for file in portion if isinstance(file, Deferred)]
        files = [file for file in portion if isinstance(file, _ReadFile)]
        clips = [file.audio for file in files if isinstance(file.audio, Waveform)]
        start = time.perf_counter()
        predictions = iter(self._predict(clips) if clips else [])
        seconds_per_clip = (time.perf_counter() - start) / max(1, len(clips))
        results: list[FileResult] = []
        for file in files:
            if isinstance(file.audio, FaultError):
                outcome = records.rejected(file.info.path, file.audio.reason, file.audio.detail)
                results.append(FileResult(file.info, outcome, file.seconds))
            elif (prediction := next(predictions)) is not None:
                outcome = records.predicted(prediction, self._task.min_confidence)
                results.append(FileResult(file.info, outcome, file.seconds + seconds_per_clip))
            else:
                deferred.append(Deferred(file.candidate.path, *_RECOGNIZER_FAILED))
        return ScoredChunk(results, deferred)


def _found(candidate: Candidate | Unusable) -> FileInfo:
    """Return what is known of a file that was not read."""
    etag = candidate.etag if isinstance(candidate, Candidate) else None
    return FileInfo(paths.text(candidate.path), candidate.size_bytes, candidate.modified_ns, etag=etag)


def _decoded(info: FileInfo, content: bytes | Unusable) -> tuple[FileInfo, Waveform | FaultError, bool]:
    """Return the file information as far as it is known, the audio or its fault, and whether it may be unfinished."""
    if isinstance(content, Unusable):
        return info, FaultError(content.reason, content.detail), False
    info = info._replace(content_sha256=hashlib.sha256(content).hexdigest())
    decode = wav.parse if wav.is_riff(content) else decode_flac
    is_stream = False
    try:
        sound = decode(content, checks.MAX_DURATION_S)
        is_stream = sound.is_stream
        peak, peak_to_peak = checks.amplitude(sound)
        info = info._replace(
            duration_s=len(sound.samples) / sound.sample_rate_hz,
            sample_rate_hz=sound.sample_rate_hz,
            channels=sound.samples.shape[1],
            peak=peak if math.isfinite(peak) else None,
        )
        checks.check(sound, peak, peak_to_peak)
        mixture = waveform.mixed(sound)
        if info.channels != 1:
            checks.check_mixture(mixture)
    except FaultError as fault:
        return info, fault, not info.etag and (is_stream or fault.reason in _UNFINISHED)
    return info, mixture, not info.etag and is_stream


def _is_suspect(file: _ReadFile | Deferred) -> bool:
    if isinstance(file, Deferred) or not file.may_be_unfinished:
        return False
    return abs(file.read_at - file.info.modified_ns / 1e9) < _SETTLED_S

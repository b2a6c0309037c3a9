"""Reviewed clips become recordings of the corpus: files in `data/reviewed`, rows in `data/reviewed.csv`.

The files are written first, then DVC versions them, and the rows are written last, in one step. After a crash the next
call does all of it again, under the same names; files without a row are removed.
"""

import hashlib
import io
import shutil
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.io import wavfile

from audiomnist.audio import wav, waveform
from audiomnist.audio.waveform import Waveform
from audiomnist.core import atomic
from audiomnist.core.errors import FaultError
from audiomnist.corpus import manifest
from audiomnist.corpus.manifest import Recording
from audiomnist.review.clips import read
from audiomnist.review.judgements import NO_DIGIT, Judgement, current
from audiomnist.reviewed import files
from audiomnist.reviewed.files import ReviewedError
from audiomnist.scoring.decoding import checks
from audiomnist.scoring.decoding.decoder import decode_flac
from audiomnist.scoring.inbox import paths
from audiomnist.synthesis.corpus import VOICES

# Returns, for files in a folder, why the corpus cannot have them; those that it can have are not named.
Refuse = Callable[[Sequence[Recording], Path], dict[str, str]]


@dataclass(frozen=True)
class Clip:
    """Content that people judged to be a digit, and where in the inbox it lay, at least one path."""

    sha256: str
    digit: int
    paths: tuple[str, ...]


@dataclass(frozen=True)
class Decided:
    """What the judgements say.

    Attributes:
        clips: of digits, in the order in which they were judged.
        no_digit: number of contents that are no digit.
        disputed: a path of each content that people judged differently, with their labels.
    """

    clips: list[Clip]
    no_digit: int
    disputed: list[str]


@dataclass(frozen=True)
class Added:
    """What became of clips.

    Attributes:
        recordings: the new ones.
        present: number of clips whose content was in the corpus before.
        mislabelled: recordings of the corpus whose content was judged to be another digit, with that digit.
        refused: why a clip cannot be added, by its path.
    """

    recordings: list[Recording]
    present: int
    mislabelled: list[str]
    refused: dict[str, str]


def decide(judgements: Iterable[Judgement], by: str | None = None) -> Decided:
    """Return the label of each content: that on which all agree who judged it, or that of the person `by`, if any.

    The last judgement of a person counts, of whatever path and row it is. The judgements are in their order.
    """
    labels: dict[str, dict[str, str]] = defaultdict(dict)
    places: dict[str, list[str]] = defaultdict(list)
    for judgement in current(judgements):
        labels[judgement.content_sha256][judgement.judged_by] = str(judgement.label)
        if judgement.path not in places[judgement.content_sha256]:
            places[judgement.content_sha256].append(judgement.path)
    clips, no_digit, disputed = [], 0, []
    for sha256, given in labels.items():
        label, *others = {given[by]} if by in given else set(given.values())
        if others:
            heard = ", ".join(f"{person}: {answer}" for person, answer in sorted(given.items()))
            disputed.append(f"{paths.shown(places[sha256][0])} ({heard})")
        elif label == NO_DIGIT:
            no_digit += 1
        else:
            clips.append(Clip(sha256, int(label), tuple(places[sha256])))
    return Decided(clips, no_digit, disputed)


def as_recording(content: bytes) -> bytes:
    """Return a clip as the corpus has it: a mono WAV file as it is, others as a new one with what the scorer heard.

    That is the mean of their channels, in 16 bits if these hold every sample, and in 32-bit floats otherwise.

    Raises:
        FaultError: the scorer cannot decode the content either.
    """
    is_wav = wav.is_riff(content)
    audio = (wav.parse if is_wav else decode_flac)(content, checks.MAX_DURATION_S)
    return content if is_wav and audio.samples.shape[1] == 1 else _encoded(waveform.mixed(audio))


def _encoded(sound: Waveform) -> bytes:
    """Return a WAV file that decodes to the same samples."""
    steps = sound.samples * 2.0**15
    is_16_bit = bool(((steps == np.rint(steps)) & (steps >= -(2**15)) & (steps < 2**15)).all())
    file = io.BytesIO()  # by SciPy: soundfile puts the time into files of floats
    wavfile.write(file, sound.sample_rate_hz, steps.astype(np.int16) if is_16_bit else sound.samples)
    return file.getvalue()


def add(
    data: Path, clips: Sequence[Clip], inbox: Path, speaker: str, refuse: Refuse, version: Callable[[Path], None]
) -> Added:
    """Add clips to the corpus as recordings of a speaker, whose takes follow those that the corpus has.

    A clip whose content is in the corpus is not added. Not for concurrent calls.

    Args:
        data: folder of `manifest.csv`, `reviewed.csv` and, if the stage ingest has run, `recordings.csv`.
        clips: to be added, in this order.
        inbox: folder of their files.
        speaker: as in the names of recordings.
        refuse: says which of the new files the corpus cannot have.
        version: puts the folder of the reviewed recordings under version control.

    Raises:
        ManifestError: a manifest cannot be read or written.
        ReviewedError: files of earlier reviewed recordings are missing or altered, or a folder cannot be written.
    """
    listing, folder = data / "reviewed.csv", data / "reviewed"
    former = manifest.read(listing)
    files.check(folder, former)
    corpus = [*manifest.read(data / "manifest.csv"), *_synthetic(data / "recordings.csv"), *former]
    known = set(corpus)
    try:
        with tempfile.TemporaryDirectory() as temporary:
            scratch = Path(temporary)
            found, refused = _staged(clips, inbox, speaker, corpus, scratch)
            present = {clip: row for clip, row in found.items() if row in known}
            staged = {row: clip for clip, row in found.items() if clip not in present}
            unsuitable = refuse(list(staged), scratch)
            refused |= {staged[row].paths[0]: unsuitable[row.file] for row in staged if row.file in unsuitable}
            sources = [row for row in staged if row.file not in unsuitable]
            recordings = _numbered(sources, corpus)
            if recordings:
                _fill(folder, dict(zip(recordings, sources, strict=True)), scratch, former)
                version(folder)
                manifest.write(listing, [*former, *recordings])
    except OSError as error:
        raise ReviewedError(f"{folder} cannot be written: {error}. Nothing was added") from error
    mislabelled = [f"{row.file} (judged {clip.digit})" for clip, row in present.items() if row.digit != clip.digit]
    return Added(recordings, len(present), mislabelled, refused)


def _synthetic(recordings: Path) -> list[Recording]:
    """Return the recordings of synthetic voices, which only the manifest that ingest writes lists."""
    voices = {voice.speaker for voice in VOICES}
    return [row for row in manifest.read(recordings) if row.speaker in voices] if recordings.exists() else []


def _staged(
    clips: Sequence[Clip], inbox: Path, speaker: str, corpus: Sequence[Recording], folder: Path
) -> tuple[dict[Clip, Recording], dict[str, str]]:
    """Write clips that are not in the corpus into a folder.

    Return the recording with the content of each clip, in the corpus or in the folder, and why there is none, by path.
    """
    recordings = {row.sha256: row for row in reversed(corpus)}
    found: dict[Clip, Recording] = {}
    refused: dict[str, str] = {}
    for number, clip in enumerate(clips):
        sha256 = clip.sha256
        if sha256 not in recordings:
            try:
                content = as_recording(_content(inbox, clip))
            except FaultError as error:
                refused[clip.paths[0]] = error.detail
                continue
            sha256 = hashlib.sha256(content).hexdigest()
            if sha256 not in recordings:
                recordings[sha256] = manifest.parse_name(f"{clip.digit}_{speaker}_{number}.wav", sha256)
                (folder / recordings[sha256].file).write_bytes(content)
        found[clip] = recordings[sha256]
    return found, refused


def _content(inbox: Path, clip: Clip) -> bytes:
    """Return the content of a clip from the first of its paths that still has it; raises FaultError for the last."""
    for path in clip.paths[:-1]:
        with suppress(FaultError):
            return read(inbox, path, clip.sha256)
    return read(inbox, clip.paths[-1], clip.sha256)


def _numbered(rows: Sequence[Recording], corpus: Sequence[Recording]) -> list[Recording]:
    """Return recordings under names whose takes follow the highest one of their digit and speaker in the corpus."""
    takes = Counter[tuple[int, str]]()
    for row in corpus:
        takes[row.digit, row.speaker] = max(takes[row.digit, row.speaker], row.take + 1)
    named = []
    for row in rows:
        take = takes[row.digit, row.speaker]
        takes[row.digit, row.speaker] += 1
        named.append(manifest.parse_name(f"{row.digit}_{row.speaker}_{take}.wav", row.sha256))
    return named


def _fill(folder: Path, sources: Mapping[Recording, Recording], scratch: Path, former: Sequence[Recording]) -> None:
    """Copy the file of each source from `scratch` to the folder; remove what is left there without being listed."""
    for row, source in sources.items():
        with atomic.replaced_file(folder / row.file) as temporary:
            shutil.copyfile(scratch / source.file, temporary)
    names = {row.file for row in (*former, *sources)}
    for path in folder.iterdir():
        if path.name not in names:
            path.unlink()

"""Computing the versioned MFCC tensors: recordings, their augmented copies, and synthetic voices to train with."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, product
from pathlib import Path
from typing import TypeVar

import numpy as np
import pandas as pd
import torch
from rich.progress import track

from audiomnist.audio import waveform as audio
from audiomnist.audio.augment import augment, generator
from audiomnist.audio.waveform import Samples, Waveform
from audiomnist.core import atomic
from audiomnist.core.digits import DIGIT_WORDS
from audiomnist.core.processes import available_cores, process_pool
from audiomnist.corpus import manifest, splits
from audiomnist.corpus.manifest import Recording
from audiomnist.corpus.splits import Clip
from audiomnist.features.front_end import FrontEndParams
from audiomnist.features.mfcc import FrontEnd
from audiomnist.features.params import FeatureParams
from audiomnist.features.store import CLIPS, INDEX, SETTINGS, SPEAKERS, SYNTHETIC, TENSOR
from audiomnist.synthesis.speakers import SyntheticSpeakersParams, words

_BATCH_CLIPS = 64
_SHARE_ITEMS = 50

_Item = TypeVar("_Item")


@dataclass(frozen=True, eq=False)
class _Version:
    """A sound (copy 0) or one of its augmented copies (1, 2, ...), ready for the front end."""

    file: str
    copy: int
    samples: Samples


def featurize(
    recordings: Path, raw: Path, params: FeatureParams, out: Path, voices: SyntheticSpeakersParams | None = None
) -> None:
    """Write the tensor, its index and the front end's settings into a folder, and those of synthetic voices into it.

    The tensor is float32 `(rows, coefficients, frames)` in NumPy's format, to be mapped into memory; row i
    is row i of the index (`file`, `copy`, `frames`), and zero after its own `frames`.

    Args:
        recordings: the manifest.
        raw: the folder that holds them.
        params: the section `features`.
        out: the folder; it appears whole or not at all.
        voices: the section `voices`; without it there are no synthetic voices.

    Raises:
        BadAudioError: a recording cannot be used.
        SynthesisError: eSpeak NG cannot be loaded, or does not have a voice.
    """
    found = _versions(partial(_heard, raw=raw, params=params), manifest.read(recordings), "augment")
    with atomic.replaced_directory(out) as folder:
        _write(found, params.front_end, folder)
        if voices is not None and voices.count:
            (folder / SYNTHETIC).mkdir()
            _write_voices(voices, params, folder / SYNTHETIC)


def _write_voices(voices: SyntheticSpeakersParams, params: FeatureParams, folder: Path) -> None:
    said = _versions(partial(_said, voices=voices, params=params), range(voices.count), "speak")
    _write(said, params.front_end, folder)
    spoken = product(range(voices.count), range(len(DIGIT_WORDS)))
    splits.write(folder / CLIPS, [_clip(number, digit) for number, digit in spoken])
    atomic.write_json(folder / SPEAKERS, {"synthesizer": "eSpeak NG", **voices.model_dump()})


def _versions(make: Callable[[_Item], list[_Version]], items: Sequence[_Item], description: str) -> list[_Version]:
    """Return what `make` makes of all items, in their order; many are shared out to all cores."""
    shares = [items[start : start + _SHARE_ITEMS] for start in range(0, len(items), _SHARE_ITEMS)]
    if len(shares) <= 1:
        return _share(make, items)
    with process_pool(min(available_cores(), len(shares)), torch.set_num_threads, 1) as processes:
        made = processes.map(partial(_share, make), shares)
        return list(chain.from_iterable(track(made, description, total=len(shares))))


def _share(make: Callable[[_Item], list[_Version]], items: Sequence[_Item]) -> list[_Version]:
    return list(chain.from_iterable(map(make, items)))


def _heard(row: Recording, raw: Path, params: FeatureParams) -> list[_Version]:
    """Return a recording as it is, and its copies."""
    clean = _prepared(audio.read(raw / row.file), params)
    return [_Version(row.file, 0, clean), *_copies(row.file, row.sha256, clean, params, params.augment.copies_per_clip)]


def _said(number: int, voices: SyntheticSpeakersParams, params: FeatureParams) -> list[_Version]:
    """Return copies of the ten words of a synthetic voice."""
    found: list[_Version] = []
    for digit, waveform in enumerate(words(number, voices)):
        content = hashlib.sha256(waveform.samples.tobytes()).hexdigest()
        found += _copies(
            _clip(number, digit).file, content, _prepared(waveform, params), params, voices.copies_per_word
        )
    return found


def _clip(number: int, digit: int) -> Clip:
    return Clip(f"{digit}_voice{number}", digit, f"voice{number}", "train")


def _prepared(waveform: Waveform, params: FeatureParams) -> Samples:
    return audio.prepare(waveform, params.sample_rate_hz, params.trim_top_db, params.max_samples)


def _copies(file: str, sha256: str, clean: Samples, params: FeatureParams, count: int) -> list[_Version]:
    how = params.augment
    draws = {copy: generator(how.seed, sha256, copy) for copy in range(1, count + 1)}
    return [
        _Version(file, copy, augment(clean, params.sample_rate_hz, how, draw)[: params.max_samples])
        for copy, draw in draws.items()
    ]


def _write(found: Sequence[_Version], params: FrontEndParams, folder: Path) -> None:
    """Write the tensor of versions, its index and the front end's settings into a folder that exists."""
    front_end = FrontEnd(params)
    frames = front_end.frames(torch.tensor([len(version.samples) for version in found])).numpy()
    shape = (len(found), params.n_mfcc, int(frames.max()))
    tensor = np.lib.format.open_memmap(folder / TENSOR, mode="w+", dtype=np.float32, shape=shape)
    for start, mfcc in _batches(found, front_end):
        tensor[start : start + len(mfcc), :, : mfcc.shape[2]] = mfcc
    tensor.flush()
    index = pd.DataFrame(
        {
            "file": [version.file for version in found],
            "copy": np.array([version.copy for version in found], dtype=np.int32),
            "frames": frames.astype(np.int32),
        }
    )
    index.to_parquet(folder / INDEX, index=False)
    (folder / SETTINGS).write_text(params.model_dump_json(indent=2) + "\n", encoding="utf-8")


def _batches(found: Sequence[_Version], front_end: FrontEnd) -> Iterator[tuple[int, np.ndarray]]:
    for start in range(0, len(found), _BATCH_CLIPS):
        samples = [version.samples for version in found[start : start + _BATCH_CLIPS]]
        waveforms, lengths = audio.pad(samples, at_least=front_end.win_length)
        with torch.inference_mode():
            mfcc, _ = front_end(torch.from_numpy(waveforms), torch.from_numpy(lengths))
        yield start, mfcc.numpy()

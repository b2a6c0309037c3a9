"""Feature extraction: MFCC tensors of recordings, of their augmented copies, and of synthetic speakers."""

import hashlib
import math
from collections.abc import Callable, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
import pandas as pd
import torch
from rich.progress import track

from audiomnist.audio import waveform
from audiomnist.audio.augment import augment, generator
from audiomnist.audio.waveform import Samples, Waveform
from audiomnist.core import atomic
from audiomnist.core.digits import CLASSES
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
_CHUNK_ITEMS = 50

_Item = TypeVar("_Item")


class _Version(NamedTuple):
    """A clip (copy 0) or one of its augmented copies (1, 2, ...), prepared for the front end."""

    file: str
    copy: int
    samples: Samples


def featurize(
    recordings: Path, raw: Path, params: FeatureParams, out: Path, speakers: SyntheticSpeakersParams | None = None
) -> None:
    """Write the tensor, its index and the settings of the front end into `out`, which is replaced as a whole.

    `features.store` has their names. `recordings` is the manifest; without `speakers`, or with 0, none are synthetic.

    Raises:
        BadAudioError: a recording cannot be used.
        SynthesisError: eSpeak NG cannot be loaded, or does not have a voice.
    """
    versions = _mapped(partial(_of_recording, raw=raw, params=params), manifest.read(recordings), "augment")
    with atomic.replaced_directory(out) as folder:
        _write(versions, params.front_end, folder)
        if speakers is not None and speakers.count:
            versions = _mapped(partial(_of_speaker, speakers=speakers, params=params), range(speakers.count), "speak")
            synthetic = folder / SYNTHETIC
            synthetic.mkdir()
            _write(versions, params.front_end, synthetic)
            clips = [_clip(number, digit) for number in range(speakers.count) for digit in range(CLASSES)]
            splits.write(synthetic / CLIPS, clips)
            atomic.write_json(synthetic / SPEAKERS, {"synthesizer": "eSpeak NG", **speakers.model_dump()})


def _mapped(make: Callable[[_Item], list[_Version]], items: Sequence[_Item], description: str) -> list[_Version]:
    """Return what `make` returns for all items, in their order; many are distributed to all cores."""
    chunks = math.ceil(len(items) / _CHUNK_ITEMS)
    if chunks <= 1:
        return list(chain.from_iterable(map(make, items)))
    with process_pool(min(available_cores(), chunks), torch.set_num_threads, 1) as pool:
        versions = pool.map(make, items, chunksize=_CHUNK_ITEMS)
        return list(chain.from_iterable(track(versions, description, total=len(items))))


def _of_recording(row: Recording, raw: Path, params: FeatureParams) -> list[_Version]:
    clean = _prepared(waveform.read(raw / row.file), params)
    copies = _copies(row.file, row.sha256, clean, params, params.augment.copies_per_clip)
    return [_Version(row.file, 0, clean), *copies]


def _of_speaker(number: int, speakers: SyntheticSpeakersParams, params: FeatureParams) -> list[_Version]:
    """Return augmented copies of the ten words of a synthetic speaker."""
    versions: list[_Version] = []
    for digit, word in enumerate(words(number, speakers)):
        sha256 = hashlib.sha256(word.samples.tobytes()).hexdigest()
        file = _clip(number, digit).file
        versions += _copies(file, sha256, _prepared(word, params), params, speakers.copies_per_word)
    return versions


def _clip(number: int, digit: int) -> Clip:
    return Clip(f"{digit}_voice{number}", digit, f"voice{number}", "train")


def _prepared(audio: Waveform, params: FeatureParams) -> Samples:
    return waveform.prepare(audio, params.sample_rate_hz, params.trim_top_db, params.max_samples)


def _copies(file: str, sha256: str, clean: Samples, params: FeatureParams, count: int) -> list[_Version]:
    versions = []
    for copy in range(1, count + 1):
        rng = generator(params.augment.seed, sha256, copy)
        samples = augment(clean, params.sample_rate_hz, params.augment, rng)
        versions.append(_Version(file, copy, samples[: params.max_samples]))
    return versions


def _write(versions: Sequence[_Version], params: FrontEndParams, folder: Path) -> None:
    """Write the tensor of versions, its index and the settings of the front end into an existing folder."""
    front_end = FrontEnd(params)
    frames = front_end.frames(torch.tensor([len(version.samples) for version in versions])).numpy()
    shape = (len(versions), params.n_mfcc, int(frames.max()))
    tensor = np.lib.format.open_memmap(folder / TENSOR, mode="w+", dtype=np.float32, shape=shape)
    for start in range(0, len(versions), _BATCH_CLIPS):
        samples = [version.samples for version in versions[start : start + _BATCH_CLIPS]]
        waveforms, lengths = waveform.pad(samples, at_least=front_end.win_length)
        with torch.inference_mode():
            mfcc, _ = front_end(torch.from_numpy(waveforms), torch.from_numpy(lengths))
        tensor[start : start + len(mfcc), :, : mfcc.shape[2]] = mfcc.numpy()
    tensor.flush()
    index = pd.DataFrame([(version.file, version.copy) for version in versions], columns=["file", "copy"])
    index = index.assign(frames=frames).astype({"copy": np.int32, "frames": np.int32})
    index.to_parquet(folder / INDEX, index=False)
    (folder / SETTINGS).write_text(params.model_dump_json(indent=2) + "\n", encoding="utf-8")

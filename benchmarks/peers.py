"""What a user would otherwise run to label a folder: three programs of a few lines, each as its style has it.

All three have the same network as the served model, in PyTorch, and are given the sound as the scorer's model is:
trimmed, its loudest second. They only label: nothing is hashed, checked, or written.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import librosa
import numpy as np
import soundfile
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from audiomnist.audio import waveform
from audiomnist.audio.waveform import Samples, Waveform
from audiomnist.features.mfcc import FrontEndParams
from audiomnist.models.common.base import Network
from benchmarks import spectra

_BATCH_CLIPS = 64

Logits = NDArray[np.float32]
Batch = tuple[Tensor, Tensor]


@dataclass(frozen=True, eq=False)
class Peer:
    """A network over MFCCs, ready to be asked, and the settings of these."""

    network: Network
    front_end: FrontEndParams

    def prepared(self, samples: Samples, rate_hz: int) -> Samples:
        """Return what of a sound is heard, `(samples,)`."""
        how = self.front_end
        return waveform.prepare(Waveform(samples, rate_hz), how.sample_rate_hz, how.trim_db, how.max_samples)

    def read(self, path: Path) -> Samples:
        """Return what is heard of a mono file, read by soundfile."""
        return self.prepared(*soundfile.read(path, dtype="float32"))

    def ask(self, mfcc: Tensor, frames: Tensor) -> Logits:
        """Return logits `(batch, 10)` of MFCCs `(batch, coefficients, frames)`."""
        with torch.inference_mode():
            return np.asarray(self.network(mfcc, frames).numpy())


def notebook(peer: Peer, paths: Sequence[Path]) -> Logits:
    """Return logits `(files, 10)`: librosa and PyTorch, one file at a time."""
    return np.concatenate([_one(peer, path) for path in paths])


def batched(peer: Peer, paths: Sequence[Path]) -> Logits:
    """Return logits `(files, 10)`: soundfile, then torchaudio and PyTorch in batches of 64."""
    mfcc = spectra.ByTorchaudio(peer.front_end)
    starts = range(0, len(paths), _BATCH_CLIPS)
    return np.concatenate([_batch(peer, mfcc, paths[start : start + _BATCH_CLIPS]) for start in starts])


def through_loader(peer: Peer, loader: Iterable[Batch]) -> Logits:
    """Return logits `(files, 10)`: what `loader` brings in batches of 64, through PyTorch."""
    return np.concatenate([peer.ask(*batch) for batch in loader])


STYLES: dict[str, Callable[[Peer, Sequence[Path]], Logits]] = {"notebook": notebook, "batched_torch": batched}


def _one(peer: Peer, path: Path) -> Logits:
    samples, rate_hz = librosa.load(path, sr=peer.front_end.sample_rate_hz)
    mfcc = torch.from_numpy(spectra.by_librosa(peer.prepared(samples, int(rate_hz)), peer.front_end))
    return peer.ask(mfcc.unsqueeze(0), torch.tensor([mfcc.shape[1]]))


def _batch(peer: Peer, mfcc: spectra.ByTorchaudio, paths: Sequence[Path]) -> Logits:
    waveforms, lengths = waveform.pad([peer.read(path) for path in paths], at_least=peer.front_end.window_samples)
    frames = spectra.frames(torch.from_numpy(lengths), peer.front_end)
    return peer.ask(mfcc(torch.from_numpy(waveforms)), frames)


class Clips(Dataset[Tensor]):
    """MFCCs of files, by soundfile and torchaudio, one at a time: float32 `(coefficients, frames)`."""

    def __init__(self, peer: Peer, paths: Sequence[Path]) -> None:
        self._peer, self._paths = peer, paths
        self._mfcc = spectra.ByTorchaudio(peer.front_end)

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, place: int) -> Tensor:
        return self._mfcc(torch.from_numpy(self._peer.read(self._paths[place])))


def loader(peer: Peer, paths: Sequence[Path], workers: int) -> DataLoader[Tensor]:
    """Return what brings batches of 64 in order, made by that many processes, which stay; by none, in this one."""
    return DataLoader(
        Clips(peer, paths),
        batch_size=_BATCH_CLIPS,
        num_workers=workers,
        collate_fn=_collated,
        persistent_workers=workers > 0,
        multiprocessing_context="spawn" if workers else None,
    )


def _collated(clips: Sequence[Tensor]) -> Batch:
    """Return MFCCs `(batch, coefficients, frames)`, zeros after each clip's end, and their frames `(batch,)`."""
    rows = torch.nn.utils.rnn.pad_sequence([clip.T for clip in clips], batch_first=True)
    return rows.transpose(1, 2), torch.tensor([clip.shape[1] for clip in clips])

"""Other ways to label a folder: three programs of a few lines, with the served network in PyTorch and random weights.

They take from each file what the scorer takes: without silence at its ends, its loudest second. They hash, check and
write nothing.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import librosa
import numpy as np
import soundfile
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader

from audiomnist.audio import waveform
from audiomnist.audio.waveform import Samples, Waveform
from audiomnist.core.processes import process_pool
from audiomnist.features.front_end import FrontEndParams
from audiomnist.models.common.base import Network
from audiomnist.models.common.registry import architecture
from audiomnist.serving.bundle.description import Description
from benchmarks import spectra
from benchmarks.rounds import Measure, timed

_BATCH_CLIPS = 64

Logits = NDArray[np.float32]
Batch = tuple[Tensor, Tensor]
Style = Callable[["Peer", Sequence[Path]], Logits]

_ready: list["Peer"] = []


@dataclass(frozen=True, eq=False)
class Peer:
    """A network over MFCCs, in evaluation mode, and the settings of these."""

    network: Network
    front_end: FrontEndParams

    @cached_property
    def mfcc(self) -> spectra.ByTorchaudio:
        """The transform of torchaudio, made once in a process."""
        return spectra.ByTorchaudio(self.front_end)

    def prepared(self, samples: Samples, rate_hz: float) -> Samples:
        """Return what the network uses of a clip, `(samples,)`."""
        params, clip = self.front_end, Waveform(samples, int(rate_hz))
        return waveform.prepare(clip, params.sample_rate_hz, params.trim_top_db, params.max_samples)

    def read(self, path: Path) -> Samples:
        """Return the same of a file, read by soundfile."""
        return self.prepared(*soundfile.read(path, dtype="float32"))

    def logits(self, mfcc: Tensor, frames: Tensor) -> Logits:
        """Return logits `(batch, 10)` of MFCCs `(batch, coefficients, frames)`."""
        with torch.inference_mode():
            return np.asarray(self.network(mfcc, frames).numpy())


def untrained(description: Description) -> Peer:
    """Return the network of a bundle with random weights; raises BenchmarkError if it takes transcripts."""
    front_end = spectra.front_end_params(description)
    torch.manual_seed(0)
    chosen = architecture(description.model)
    params = chosen.params.model_validate(description.parameters["model"])
    return Peer(chosen.build(params, {"front_end": front_end.model_dump()}).eval(), front_end)


def notebook(peer: Peer, paths: Sequence[Path]) -> Logits:
    """Return logits `(files, 10)`: librosa and PyTorch, one file at a time."""
    logits = []
    for path in paths:
        samples = peer.prepared(*librosa.load(path, sr=peer.front_end.sample_rate_hz))
        mfcc = torch.from_numpy(spectra.by_librosa(samples, peer.front_end))
        logits.append(peer.logits(mfcc.unsqueeze(0), torch.tensor([mfcc.shape[1]])))
    return np.concatenate(logits)


def batched_torch(peer: Peer, paths: Sequence[Path]) -> Logits:
    """Return logits `(files, 10)`: soundfile, then torchaudio and PyTorch in batches of 64."""
    logits = []
    for start in range(0, len(paths), _BATCH_CLIPS):
        clips = [peer.read(path) for path in paths[start : start + _BATCH_CLIPS]]
        waveforms, lengths = waveform.pad(clips, at_least=peer.front_end.win_length)
        frames = spectra.frames(torch.from_numpy(lengths), peer.front_end)
        logits.append(peer.logits(peer.mfcc(torch.from_numpy(waveforms)), frames))
    return np.concatenate(logits)


def through_loader(peer: Peer, batches: Iterable[Batch]) -> Logits:
    """Return logits `(files, 10)` of what `loader` gives."""
    return np.concatenate([peer.logits(*batch) for batch in batches])


def loader(peer: Peer, paths: Sequence[Path], workers: int) -> Iterable[Batch]:
    """Return batches of 64, by soundfile and torchaudio file by file, from so many processes; with 0 from this one."""
    return DataLoader[Batch](
        paths,  # type: ignore[arg-type]  # any sequence will do
        batch_size=_BATCH_CLIPS,
        num_workers=workers,
        collate_fn=partial(_collate, peer),
        persistent_workers=workers > 0,
        multiprocessing_context="spawn" if workers else None,
    )


def _collate(peer: Peer, paths: Sequence[Path]) -> Batch:
    """Return MFCCs `(batch, coefficients, frames)`, padded with zeros, and frames `(batch,)`."""
    clips = [peer.mfcc(torch.from_numpy(peer.read(path))).T for path in paths]
    mfcc = torch.nn.utils.rnn.pad_sequence(clips, batch_first=True).transpose(1, 2)
    return mfcc, torch.tensor([len(clip) for clip in clips])


@contextmanager
def at_work(peer: Peer, paths: Sequence[Path], processes: int) -> Iterator[list[Measure]]:
    """Yield a measurement of each peer, `<name>_files_per_s`, on so many processes of one thread, warmed up.

    The DataLoader has as many beside this process.
    """
    with ExitStack() as stack:
        team = [stack.enter_context(process_pool(1, _start, peer)) for _ in range(processes)]
        label: dict[str, Callable[[], object]] = {
            "notebook": partial(_shared, team, notebook, paths),
            "dataloader": partial(through_loader, peer, loader(peer, paths, processes)),
            "batched_torch": partial(_shared, team, batched_torch, paths),
        }
        measures = [partial(timed, f"{name}_files_per_s", files, len(paths)) for name, files in label.items()]
        for measure in measures:
            measure()
        yield [*measures]


def _start(peer: Peer) -> None:
    torch.set_num_threads(1)
    _ready.append(peer)


def _shared(team: Sequence[Executor], style: Style, paths: Sequence[Path]) -> None:
    """Let each process label its share of the files."""
    shares = [process.submit(_label, style, paths[place :: len(team)]) for place, process in enumerate(team)]
    for share in shares:
        share.result()


def _label(style: Style, paths: Sequence[Path]) -> Logits:
    return style(_ready[0], paths)

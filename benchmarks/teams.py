"""Peers at work on as many processes as there are cores, started and warm before anything is timed."""

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import torch
from torch.utils.data import DataLoader

from audiomnist.core.processes import pool
from benchmarks import peers
from benchmarks.figures import Measure, Round
from benchmarks.peers import Peer

_ready: list[Peer] = []


@contextmanager
def at_work(peer: Peer, paths: Sequence[Path], processes: int) -> Iterator[list[Measure]]:
    """Yield a measure for each of the peers: `<name>_files_per_s`, without the start of its processes.

    Args:
        peer: the network that all of them have.
        paths: files to label.
        processes: processes of one thread each; the DataLoader has as many beside the one that asks the network.
    """
    with ExitStack() as stack:
        team = [stack.enter_context(pool(1, _start, peer)) for _ in range(processes)]
        loader = peers.loader(peer, paths, processes)
        measures: list[Measure] = [
            partial(_shared, team, "notebook", paths),
            partial(_loaded, peer, loader, len(paths)),
            partial(_shared, team, "batched_torch", paths),
        ]
        for measure in measures:
            measure()
        yield measures


def _start(peer: Peer) -> None:
    torch.set_num_threads(1)
    _ready.append(peer)


def _label(style: str, paths: Sequence[Path]) -> int:
    return len(peers.STYLES[style](_ready[0], paths))


def _shared(team: Sequence[Executor], style: str, paths: Sequence[Path]) -> Round:
    """Let each process label its share of the files."""
    start = time.perf_counter()
    shares = [process.submit(_label, style, paths[place :: len(team)]) for place, process in enumerate(team)]
    files = sum(share.result() for share in shares)
    return {f"{style}_files_per_s": files / (time.perf_counter() - start)}


def _loaded(peer: Peer, loader: "DataLoader[torch.Tensor]", files: int) -> Round:
    start = time.perf_counter()
    peers.through_loader(peer, loader)
    return {"dataloader_files_per_s": files / (time.perf_counter() - start)}

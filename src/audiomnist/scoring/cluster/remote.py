"""What scores on a node of the cluster: one object per actor, which need not know of Ray.

The model and the decoder run in a child process of the actor, as they do in the other engine. A file that makes its
process die is found and deferred there; if the actor died, Ray would give it the same file again, for ever.
"""

import pickle
import platform
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa

from audiomnist.core.errors import AudiomnistError
from audiomnist.scoring.cluster import bundle_files
from audiomnist.scoring.cluster.bundle_files import BundleFiles
from audiomnist.scoring.workers.scorer import Chunk, ScoredChunk, ScoringTask
from audiomnist.scoring.workers.worker import Worker
from audiomnist.serving.bundle import code_version

# The column of all blocks: a pickled chunk, or the answer to it.
CHUNK = "chunk"


class ClusterError(AudiomnistError):
    """The cluster cannot be reached, or cannot do the work."""


def block(content: object) -> pa.Table:
    """Return the block of one chunk, or of the answer to it."""
    return pa.table({CHUNK: pa.array([pickle.dumps(content)], pa.large_binary())})


def contents(block: pa.Table) -> list[Any]:
    """Return the chunks or answers of a block."""
    return [pickle.loads(value) for value in block[CHUNK].to_pylist()]  # noqa: S301 - of this program's own processes


class RemoteScorer:
    """Scores blocks of chunks with a child process. Errors that a user can resolve are answers, not exceptions."""

    def __init__(self, task: ScoringTask, revision: str, bundle: Callable[[], BundleFiles]) -> None:
        """Write the bundle into a folder that is removed at the end.

        Args:
            task: whose bundle is the one that is sent.
            revision: of the program that asks, which must be that of this one.
            bundle: returns the files of the bundle.
        """
        self._folder = TemporaryDirectory(prefix="audiomnist-bundle-")
        bundle_files.write(bundle(), Path(self._folder.name))
        self._worker = Worker(replace(task, bundle=Path(self._folder.name)))
        # The kernel kills the child when the thread that started it ends: this one lives as long as the actor.
        self._thread = ThreadPoolExecutor(1)
        self._fault = _fault(task, revision)
        # A child would run the main script again, which is Ray's.
        vars(sys.modules["__main__"]).pop("__file__", None)

    def __call__(self, block_of_chunks: pa.Table) -> pa.Table:
        """Return the answer to each chunk: a ScoredChunk, or an AudiomnistError."""
        return pa.concat_tables(block(self._answer(chunk)) for chunk in contents(block_of_chunks))

    def _answer(self, chunk: Chunk) -> ScoredChunk | AudiomnistError:
        try:
            return self._fault or self._thread.submit(self._worker.score, chunk).result()
        except AudiomnistError as error:
            return error


def _fault(task: ScoringTask, revision: str) -> AudiomnistError | None:
    """Return why this node must not score: its rows would name another program, or it would find no file."""
    node = f"the node {platform.node()}"
    if (here := code_version.revision()) != revision:
        return ClusterError(f"{node} has audiomnist {here}, this command is {revision}: install the same on all nodes")
    try:
        task.inbox.check()
    except AudiomnistError as error:
        return type(error)(f"on {node}: {error}")
    return None

"""Which clips of a night a person hears, and in which order: the least certain first, or a random sample.

A sample is for measuring accuracy. It is stratified: the rows, in the order of their confidence, are cut where the sum
of the standard deviations that are to be expected, sqrt(c (1 - c)) for a confidence c, passes a fifth of their total
(the rule of Dalenius and Hodges). Neyman's allocation then takes the same number of clips from each stratum. A row
counts with a confidence of at most `_MAX_CONFIDENCE`, because a model may be surer than it is right: otherwise hardly
any of its surest answers, which most rows are, would be heard.

Which clips are drawn, and their order, follow from a hash of the seed and of what identifies the clip. A sample that is
asked for again is therefore the same, with any version of any library, and a part of it is a random sample as well.
"""

from hashlib import blake2b
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from audiomnist.core.digits import PROBABILITIES
from audiomnist.core.errors import AudiomnistError
from audiomnist.scoring.table.schema import SCHEMA
from audiomnist.scoring.table.table import Table

_ANSWERED = ("scored", "abstained")
_COLUMNS = ("path", "content_sha256", "model_version", "run_id", "status", "confidence", *PROBABILITIES)
_STRATA = 5
_MIN_CLIPS = 10  # of a stratum, if there are enough clips to hear
_MAX_CONFIDENCE = 0.995


class ReviewError(AudiomnistError):
    """There is nothing to review."""


class Clip(NamedTuple):
    """A row to judge, with the stratum that it was drawn from, if it was; `probabilities` are those of the digits."""

    path: str
    content_sha256: str
    model_version: str
    run_id: str
    status: str
    confidence: float
    probabilities: tuple[float, ...]
    stratum: int | None
    stratum_rows: int | None


class Queue:
    """Clips of a run, numbered from 0 in the order in which they are heard; `sample` is the id of the random sample."""

    def __init__(self, rows: pa.Table, sample: str | None = None) -> None:
        self.sample = sample
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, number: int) -> Clip:
        (row,) = self._rows.slice(number, 1).to_pylist()
        probabilities = tuple(row.pop(name) for name in PROBABILITIES)
        return Clip(**{"stratum": None, "stratum_rows": None, **row}, probabilities=probabilities)

    def identities(self) -> list[tuple[str, str, str]]:
        """Return path, content and model version of each clip."""
        columns = (self._rows[name].to_pylist() for name in ("path", "content_sha256", "model_version"))
        return list(zip(*columns, strict=True))


def latest_run(table: Table) -> str:
    """Return the id of the run that made the newest row; raises ReviewError if the table has no rows."""
    import pyarrow.compute as pc  # noqa: PLC0415 - takes 50 ms

    newest = None
    for batch in filter(len, table.scan(("scored_at", "run_id"))):
        last = pc.max(batch["scored_at"])
        found = last.as_py(), batch["run_id"][pc.index(batch["scored_at"], last).as_py()].as_py()
        newest = max(newest, found) if newest else found
    if newest is None:
        raise ReviewError(f"{table.path} has no rows: `audiomnist score INBOX --into {table.path}` adds some")
    return str(newest[1])


def least_certain(table: Table, run_id: str) -> Queue:
    """Return the clips of a run that have an answer, shown or withheld, in the order of their confidence.

    Raises ReviewError if there are none.
    """
    return Queue(_answered(table, run_id))


def stratified(table: Table, run_id: str, clips: int, seed: int = 0) -> Queue:
    """Return a random sample of the clips of a run that have an answer, shown or withheld, in a random order.

    Args:
        table: has the run.
        run_id: the run.
        clips: size of the sample; all, if the run has fewer.
        seed: of the random numbers; another one gives another sample.

    Raises:
        ReviewError: the run has no such clips.
    """
    rows = _answered(table, run_id)
    names = zip(rows["path"].to_pylist(), rows["content_sha256"].to_pylist(), strict=True)
    keys = [blake2b(f"{seed} {content} {path}".encode()).digest() for path, content in names]
    strata = _strata(rows["confidence"].to_numpy(), min(_STRATA, max(1, clips // _MIN_CLIPS)))
    drawn = []
    for number, (stratum, count) in enumerate(zip(strata, allocation([len(s) for s in strata], clips), strict=True)):
        chosen = sorted(stratum, key=keys.__getitem__)[:count]
        drawn += [(keys[index][::-1], index, number, len(stratum)) for index in chosen]
    drawn.sort()
    _, indices, numbers, sizes = zip(*drawn, strict=True)
    queue = rows.take(pa.array(indices)).append_column("stratum", pa.array(numbers))
    return Queue(queue.append_column("stratum_rows", pa.array(sizes)), f"{run_id}-{clips}-{seed}")


def allocation(sizes: list[int], clips: int) -> list[int]:
    """Return how many clips to take from strata of some sizes: the same number of each, as far as they go.

    >>> allocation([5, 100, 100], 65)
    [5, 30, 30]
    """
    counts = [0] * len(sizes)
    left = clips
    for done, stratum in enumerate(sorted(range(len(sizes)), key=sizes.__getitem__)):
        counts[stratum] = min(sizes[stratum], left // (len(sizes) - done))
        left -= counts[stratum]
    return counts


def _answered(table: Table, run_id: str) -> pa.Table:
    only = {"run_id": [run_id], "status": _ANSWERED}
    rows = pa.Table.from_batches(table.scan(_COLUMNS, only), pa.schema([SCHEMA.field(name) for name in _COLUMNS]))
    if not len(rows):
        raise ReviewError(
            f"run {run_id} has labelled no files in {table.path}: `audiomnist table history {table.path}` lists runs"
        )
    order = ("confidence", "path", "content_sha256")
    return rows.sort_by([(name, "ascending") for name in order]).combine_chunks()


def _strata(confidence: NDArray[np.float32], count: int) -> list[NDArray[np.intp]]:
    """Return the indices of ascending confidences in up to `count` strata, none of which is empty."""
    expected = np.clip(confidence.astype(np.float64), 0, _MAX_CONFIDENCE)
    deviations = np.cumsum(np.sqrt(expected * (1 - expected)))
    cuts = np.searchsorted(deviations, deviations[-1] * np.arange(1, count) / count)
    return [stratum for stratum in np.split(np.arange(len(confidence)), cuts) if len(stratum)]

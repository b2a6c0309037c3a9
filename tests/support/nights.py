"""Nights whose truth is known: rows and summaries in a scorer's table, files in its inbox, judgements beside it."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid5

import numpy as np
from inbox_files import SETTLED_NS, encoded, put, tone
from numpy.random import Generator
from runs import REFERENCE, RUN_COLUMNS

from audiomnist.review import sample
from audiomnist.review.judgements import NO_DIGIT, Judgement, Judgements, reviews_of
from audiomnist.scoring import records
from audiomnist.scoring.records import FileInfo, FileResult, Outcome
from audiomnist.scoring.summary import Counters, RunHeader, Summary
from audiomnist.scoring.table.history import RUN, RUN_ID
from audiomnist.scoring.table.table import Table

FIRST = datetime(2026, 10, 1, 2, 0, tzinfo=UTC)
_NAMES = UUID(int=0)


@dataclass(frozen=True)
class SimulatedFile:
    """A file: the digit in it, None for none, the label of the model and its confidence; or why it was rejected."""

    name: str
    truth: int | None
    label: int = 0
    confidence: float = 1.0
    rejected: str | None = None
    is_withheld: bool = False

    @property
    def content(self) -> bytes:
        """Its content, of which no two are alike."""
        seed = int.from_bytes(hashlib.sha256(self.name.encode()).digest()[:4])
        return encoded(tone(self.truth or 0, seconds=0.4, seed=seed))


def files(draw: Generator, prefix: str, count: int, error: float = 0.03) -> list[SimulatedFile]:
    """Return files of a calibrated model that is wrong in a share of them."""
    doubts = np.clip(draw.beta(0.3, 0.3 * (1 / error - 1), count), 0.0005, 0.85)
    found = []
    for number, doubt in enumerate(doubts.tolist()):
        truth = int(draw.integers(10))
        label = (truth + int(draw.integers(1, 10))) % 10 if draw.random() < doubt else truth
        found.append(SimulatedFile(f"{prefix}/{number:05}.wav", truth, label, 1 - doubt))
    return found


def add(table: Path, night: int, simulated: Iterable[SimulatedFile], inbox: Path | None = None) -> Summary:
    """Commit a run of a night, numbered from 0, as the scorer does.

    With an inbox, the files are put there; without one, their hashes are those of their names.
    """
    started = FIRST + timedelta(days=night)
    header = RunHeader(
        run_id=f"night-{night:02}",
        started_at=started,
        inbox=str(inbox or "inbox"),
        model=RUN_COLUMNS["model"],
        model_version=RUN_COLUMNS["model_version"],
        dataset=RUN_COLUMNS["dataset"],
    )
    counters = Counters(REFERENCE)
    results = []
    for file in simulated:
        content = put(inbox, file.name, file.content).read_bytes() if inbox else file.name.encode()
        result = _result(file, content)
        results.append(result)
        counters.add("found")
        counters.add_result(result)
    seconds = len(results) / 900
    summary = counters.summary(header, started + timedelta(seconds=seconds), seconds, interrupted=False)
    rows = records.table(results, RUN_COLUMNS | {"run_id": header.run_id}, started)
    Table.create(table).append(rows, {RUN_ID: header.run_id, RUN: summary.to_json()})
    return summary


def judge_sample(table: Path, run_id: str, simulated: Sequence[SimulatedFile], clips: int, by: str = "ada") -> None:
    """Judge a random sample of a run as a person does who hears everything right."""
    queue = sample.stratified(Table.open(table), run_id, clips)
    truths = {file.name: file.truth for file in simulated}
    drawn = [queue[number] for number in range(len(queue))]
    judge(
        table,
        [
            Judgement(
                judgement_id=str(uuid5(_NAMES, f"{by} {clip.path} {queue.sample}")),
                path=clip.path,
                content_sha256=clip.content_sha256,
                model_version=clip.model_version,
                run_id=clip.run_id,
                label=NO_DIGIT if (truth := truths[clip.path]) is None else str(truth),
                judged_by=by,
                judged_at=FIRST + timedelta(days=40, seconds=number),
                sample=queue.sample,
                stratum=clip.stratum,
                stratum_rows=clip.stratum_rows,
            )
            for number, clip in enumerate(drawn)
        ],
    )


def judge(table: Path, judgements: Sequence[Judgement]) -> None:
    """Append judgements to those of a table."""
    Judgements.create(reviews_of(table)).append(judgements)


def _result(file: SimulatedFile, content: bytes) -> FileResult:
    info = FileInfo(
        path=file.name,
        size_bytes=len(content),
        modified_ns=SETTLED_NS,
        content_sha256=hashlib.sha256(content).hexdigest(),
        duration_s=None if file.rejected else 0.4,
        sample_rate_hz=8000,
        channels=1,
        peak=0.3,
    )
    if file.rejected:
        return FileResult(info, records.rejected(file.name, file.rejected, "cannot be scored"), 0.001)
    others = (1 - file.confidence) / 9
    probabilities = tuple(file.confidence if digit == file.label else others for digit in range(10))
    status, label = ("abstained", None) if file.is_withheld else ("scored", file.label)
    return FileResult(info, Outcome(status, label, file.confidence, probabilities, 0.4), 0.001)

"""Summary of a run: files per outcome, drift, the slowest and the least certain files.

`Counters` count during the run, in memory that does not grow with the number of files. A `Summary` is the result: it
is printed, written as JSON, and committed in the metadata of the run's last commit. Every path in them is text from
`audiomnist.scoring.inbox.paths.text`.
"""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from heapq import heappush, heappushpop
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, Field
from rich.console import Console
from rich.text import Text

from audiomnist.core.errors import AudiomnistError
from audiomnist.core.frozen_model import FrozenModel
from audiomnist.scoring.drift import DriftCounts, Drifts, styled_lines
from audiomnist.scoring.inbox.paths import shown
from audiomnist.scoring.records import FileResult
from audiomnist.serving.bundle.reference import Reference

OUTCOMES = ("scored", "abstained", "rejected", "unchanged", "deferred", "remaining", "excluded")
# Their names in summaries up to schema version 2, which older commits contain.
FORMER_OUTCOMES = {"unchanged": "known", "remaining": "left"}

# Reasons that usually go away before one of the next runs.
_TRANSIENT = {"unfinished_name", "changing", "vanished"}

_PRINTED = 10
_LISTED = 100

Count = Annotated[int, Field(ge=0)]
UtcTime = Annotated[AwareDatetime, AfterValidator(lambda time: time.astimezone(UTC))]


class SlowFile(FrozenModel):
    """A file and its processing time."""

    path: str
    seconds: float


class UncertainFile(FrozenModel):
    """A file, its label (None if withheld), and the label's calibrated probability."""

    path: str
    digit: int | None
    confidence: float


class UnscoredFile(FrozenModel):
    """A rejected or deferred file, the code of the reason, and a sentence that explains it."""

    path: str
    reason: str
    sentence: str


class RunHeader(FrozenModel):
    """A run, its model (`model_version` is the SHA-256 of its bundle), and the dataset of the model."""

    run_id: str
    started_at: UtcTime
    inbox: str
    model: str
    model_version: str
    dataset: str


class Summary(RunHeader):
    """Results of a run: found = scored + abstained + rejected + unchanged + deferred + remaining + excluded.

    Attributes:
        unchanged: files that the table already has.
        remaining: new files that the run did not take, because of its limit or an interruption.
        excluded: files and folders that the selection leaves out.
        by_label: scored files of each digit, "0" to "9".
        by_reason: rejected files of each reason, the most frequent first; `by_deferred_reason` likewise.
        mean_confidence: of scored and abstained files; None if there are none.
        slowest: the ten slowest rows, the slowest first.
        least_certain: the ten rows with the lowest confidence, the lowest first.
        deferred_files: the first hundred; `rejected_files` likewise.
        files_per_s: scored, abstained and rejected files per second of the run.
    """

    schema_version: Literal[4] = 4
    ended_at: UtcTime
    seconds: float
    files_per_s: float
    interrupted: bool
    found: Count
    scored: Count
    abstained: Count
    rejected: Count
    unchanged: Count
    deferred: Count
    remaining: Count
    excluded: Count
    by_label: dict[str, Count]
    by_reason: dict[str, Count]
    by_deferred_reason: dict[str, Count]
    mean_confidence: float | None
    drift: Drifts
    slowest: tuple[SlowFile, ...]
    least_certain: tuple[UncertainFile, ...]
    deferred_files: tuple[UnscoredFile, ...]
    rejected_files: tuple[UnscoredFile, ...]

    def to_json(self) -> str:
        """Return one line of JSON in ASCII, which is safe in every terminal and pipe."""
        return json.dumps(self.model_dump(mode="json"), separators=(",", ":"))

    @property
    def rows(self) -> int:
        """Number of rows that the run wrote."""
        return self.scored + self.abstained + self.rejected

    @property
    def needs_attention(self) -> dict[str, int]:
        """Files deferred for reasons that do not go away without an operator, by reason."""
        return {reason: files for reason, files in self.by_deferred_reason.items() if reason not in _TRANSIENT}

    @property
    def sums(self) -> dict[str, dict[str, int]]:
        """The parts of which `found`, `scored`, `rejected` and `deferred` are the sums."""
        return {
            "found": {outcome: getattr(self, outcome) for outcome in OUTCOMES},
            "scored": {f"as {digit}": files for digit, files in self.by_label.items()},
            "rejected": self.by_reason,
            "deferred": self.by_deferred_reason,
        }

    def check(self) -> None:
        """Raise AudiomnistError if a count is not the sum of its parts."""
        for name, parts in self.sums.items():
            if getattr(self, name) != sum(parts.values()):
                raise AudiomnistError(
                    f"the counts of run {self.run_id} do not add up: {_equation(self, name)}. This is a bug in "
                    "audiomnist: please report it, and check the table with audiomnist table verify"
                )


class Counters:
    """Counts during a run; `counts` has `found` and those in `OUTCOMES`."""

    def __init__(self, reference: Reference) -> None:
        self.counts = dict.fromkeys(("found", *OUTCOMES), 0)
        self._predicted = DriftCounts(reference)
        self._confidence_sum = 0.0
        self._reasons: dict[str, Counter[str]] = {"rejected": Counter(), "deferred": Counter()}
        self._unscored: dict[str, list[UnscoredFile]] = {"rejected": [], "deferred": []}
        self._slowest: list[tuple[float, str]] = []
        self._least_certain: list[tuple[float, str, int]] = []

    def add(self, count: str, files: int = 1) -> None:
        """Count files: as `found` in the inbox, as `unchanged`, `remaining` or `excluded`."""
        self.counts[count] += files

    def add_deferred(self, path: str, reason: str, sentence: str) -> None:
        """Count a file that gets no row in this run."""
        self.add("deferred")
        self._add_unscored("deferred", path, reason, sentence)

    def add_result(self, result: FileResult) -> None:
        """Count a file that gets a row."""
        (path, duration_s), outcome = (result.info.path, result.info.duration_s), result.outcome
        digit, confidence = outcome.digit, outcome.confidence
        self.counts[outcome.status] += 1
        _keep_largest(self._slowest, (result.seconds, path))
        if confidence is not None and duration_s is not None:
            self._predicted.add(digit, confidence, duration_s)
            self._confidence_sum += confidence
            _keep_largest(self._least_certain, (-confidence, path, -1 if digit is None else digit))
        if outcome.reason is not None:
            self._add_unscored("rejected", path, outcome.reason, outcome.message or outcome.reason)

    def _add_unscored(self, outcome: str, path: str, reason: str, sentence: str) -> None:
        self._reasons[outcome][reason] += 1
        if len(self._unscored[outcome]) < _LISTED:
            self._unscored[outcome].append(UnscoredFile(path=path, reason=reason, sentence=sentence))

    def summary(self, header: RunHeader, ended_at: datetime, seconds: float, *, interrupted: bool) -> Summary:
        """Return the summary of everything counted; `seconds` is the duration of the run."""
        predicted = self.counts["scored"] + self.counts["abstained"]
        return Summary(
            **(header.model_dump() | self.counts),
            ended_at=ended_at,
            seconds=seconds,
            files_per_s=(predicted + self.counts["rejected"]) / seconds if seconds > 0 else 0.0,
            interrupted=interrupted,
            by_label={str(digit): files for digit, files in enumerate(self._predicted.labels)},
            by_reason=dict(self._reasons["rejected"].most_common()),
            by_deferred_reason=dict(self._reasons["deferred"].most_common()),
            mean_confidence=self._confidence_sum / predicted if predicted else None,
            drift=self._predicted.drifts(),
            slowest=tuple(
                SlowFile(path=path, seconds=seconds) for seconds, path in sorted(self._slowest, reverse=True)
            ),
            least_certain=tuple(
                UncertainFile(path=path, digit=None if digit < 0 else digit, confidence=-negated)
                for negated, path, digit in sorted(self._least_certain, reverse=True)
            ),
            deferred_files=tuple(self._unscored["deferred"]),
            rejected_files=tuple(self._unscored["rejected"]),
        )


def render(summary: Summary, console: Console) -> None:
    """Print the summary, with control characters escaped; lines longer than the console are not cut."""
    for text, style in _sections(summary):
        console.print(Text(shown(text), style=style), soft_wrap=True)


def _sections(summary: Summary) -> Iterator[tuple[str, str]]:
    yield f"run {summary.run_id}: {summary.seconds:,.1f} s, {summary.files_per_s:,.1f} files/s", "bold"
    if summary.interrupted:
        yield "interrupted: finished rows are in the table, the next run continues", "yellow"
    yield f"inbox {summary.inbox}", ""
    yield f"model {summary.model}, version {summary.model_version[:12]}, trained on {summary.dataset}", ""
    yield _equation(summary, "found"), "bold"
    yield from ((_equation(summary, name), "") for name in ("rejected", "deferred") if summary.sums[name])
    if summary.scored:
        yield from _labels(summary)
    if summary.mean_confidence is not None:
        yield "", ""
        yield f"mean confidence {summary.mean_confidence:.1%}; drift from training (population stability index)", "bold"
        yield from styled_lines(summary.drift)
    yield from _section("slowest", [f"{file.seconds:9.3f} s  {file.path}" for file in summary.slowest])
    yield from _section("least certain", [_uncertainty(file) for file in summary.least_certain])
    more = "audiomnist table show TABLE --status rejected"
    yield from _section("rejected", _listed(summary.rejected_files, summary.rejected, more))
    more = f"the summary in JSON names the first {_LISTED}"
    yield from _section("deferred to the next run", _listed(summary.deferred_files, summary.deferred, more))


def _section(title: str, rows: Sequence[str]) -> Iterator[tuple[str, str]]:
    if rows:
        yield "", ""
        yield title, "bold"
    for row in rows:
        yield f"  {row}", ""


def _labels(summary: Summary) -> Iterator[tuple[str, str]]:
    cells = [(digit, f"{files:,}", f"{files / summary.scored:.1%}") for digit, files in summary.by_label.items()]
    columns = [("label", "files", "share"), *cells]
    widths = [max(map(len, column)) for column in columns]
    yield "", ""
    for row, style in zip(zip(*columns, strict=True), ("bold", "", ""), strict=True):
        yield "  ".join(map(str.rjust, row, widths)), style


def _uncertainty(file: UncertainFile) -> str:
    label = "withheld" if file.digit is None else str(file.digit)
    return f"{file.confidence:7.2%}  {label:>8}  {file.path}"


def _listed(files: Sequence[UnscoredFile], total: int, more: str) -> list[str]:
    rows = [
        f"{file.reason:<20}  {file.path}: {file.sentence.removeprefix(f'{file.path}: ')}" for file in files[:_PRINTED]
    ]
    return [*rows, f"and {total - len(rows):,} more: {more}"] if total > len(rows) else rows


def _equation(summary: Summary, name: str) -> str:
    parts = " + ".join(f"{files:,} {part}" for part, files in summary.sums[name].items())
    return f"{name} {getattr(summary, name):,} = {parts or 0}"


def _keep_largest(heap: list[Any], item: tuple[object, ...]) -> None:
    (heappush if len(heap) < _PRINTED else heappushpop)(heap, item)

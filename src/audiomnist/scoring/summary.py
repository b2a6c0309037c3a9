"""What a run tells: how many files met which end, what drifted, which were slowest and which least certain.

A `Tally` counts while the run goes on, in memory that does not grow with the number of files. A `Summary` is what
stands at the end: on the terminal, as JSON, and in the metadata of the run's last commit. Every path in them is
text, as `audiomnist.scoring.inbox.paths.text` writes it.
"""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from heapq import heappush, heappushpop
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from audiomnist.core.errors import AudiomnistError
from audiomnist.scoring.drift import DriftCounts, Drifts, styled_lines
from audiomnist.scoring.inbox.paths import shown
from audiomnist.serving.bundle.reference import Reference

if TYPE_CHECKING:
    from rich.console import Console

OUTCOMES = ("scored", "abstained", "rejected", "known", "deferred", "left")

# Deferred files that are likely to be taken by one of the next runs, without anybody's doing.
PASSING = {"unfinished_name", "changing", "vanished"}

_FIRST = 10
_NAMED = 100

Count = Annotated[int, Field(ge=0)]
UtcTime = Annotated[AwareDatetime, AfterValidator(lambda time: time.astimezone(UTC))]
T = TypeVar("T", bound=tuple[object, ...])


class CountError(AudiomnistError):
    """A summary contradicts itself: a count is not the sum of its parts."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class SlowFile(_Part):
    """A file and the seconds that it took."""

    path: str
    seconds: float


class UncertainFile(_Part):
    """A file, its label (None if withheld), and the label's calibrated probability."""

    path: str
    digit: int | None
    confidence: float


class SetAside(_Part):
    """A rejected or deferred file, the code of the reason, and the reason in a sentence."""

    path: str
    reason: str
    sentence: str


class Run(_Part):
    """Which run it is, of which model (`model_version` is the SHA-256 of its bundle) trained on which dataset."""

    run_id: str
    started_at: UtcTime
    inbox: str
    model: str
    model_version: str
    dataset: str


class Summary(Run):
    """A run and what came of it: found = scored + abstained + rejected + known + deferred + left.

    Attributes:
        left: files that the run did not come to, because of its limit or an interruption.
        by_label: scored files of each digit, "0" to "9".
        by_reason: rejected files of each reason, the most frequent first; `by_deferred_reason` likewise.
        mean_confidence: of scored and abstained files; None if there are none.
        slowest: the ten slowest rows, the slowest first.
        least_certain: the ten rows with the lowest confidence, the lowest first.
        deferred_files: the first hundred; `rejected_files` likewise.
        files_per_s: scored, abstained and rejected files per second of the run.
    """

    schema_version: Literal[2] = 2
    ended_at: UtcTime
    seconds: float
    files_per_s: float
    interrupted: bool
    found: Count
    scored: Count
    abstained: Count
    rejected: Count
    known: Count
    deferred: Count
    left: Count
    by_label: dict[str, Count]
    by_reason: dict[str, Count]
    by_deferred_reason: dict[str, Count]
    mean_confidence: float | None
    drift: Drifts
    slowest: tuple[SlowFile, ...]
    least_certain: tuple[UncertainFile, ...]
    deferred_files: tuple[SetAside, ...]
    rejected_files: tuple[SetAside, ...]

    @classmethod
    def from_json(cls, text: str) -> "Summary":
        """Return the summary that `to_json` wrote; raises ValueError if the text is another."""
        return cls.model_validate_json(text)

    def to_json(self) -> str:
        """Return one line of JSON, in ASCII, which every terminal and pipe takes."""
        return json.dumps(self.model_dump(mode="json"), separators=(",", ":"))

    @property
    def hindered(self) -> dict[str, int]:
        """How many files are deferred for each reason that does not pass by itself."""
        return {reason: files for reason, files in self.by_deferred_reason.items() if reason not in PASSING}

    @property
    def sums(self) -> dict[str, dict[str, int]]:
        """What `found`, `scored`, `rejected` and `deferred` are the sums of."""
        return {
            "found": {outcome: getattr(self, outcome) for outcome in OUTCOMES},
            "scored": {f"as {digit}": files for digit, files in self.by_label.items()},
            "rejected": self.by_reason,
            "deferred": self.by_deferred_reason,
        }

    def check(self) -> None:
        """Raise CountError if a count is not the sum of its parts."""
        for name, parts in self.sums.items():
            if getattr(self, name) != sum(parts.values()):
                raise CountError(
                    f"the counts of run {self.run_id} do not add up: {_equation(self, name)}. This is a fault of "
                    "audiomnist: please report it, and see what audiomnist table verify says of the table"
                )


class Tally:
    """The counts of a run while it goes on; `counts` has those in `OUTCOMES`, and `found`."""

    def __init__(self, reference: Reference) -> None:
        self.counts = dict.fromkeys(("found", *OUTCOMES), 0)
        self._heard = DriftCounts(reference)
        self._confidence_sum = 0.0
        self._reasons: dict[str, Counter[str]] = {"rejected": Counter(), "deferred": Counter()}
        self._set_aside: dict[str, list[SetAside]] = {"rejected": [], "deferred": []}
        self._slowest: list[tuple[float, str]] = []
        self._least_certain: list[tuple[float, str, int]] = []

    def add_found(self, files: int = 1) -> None:
        """Count files that the inbox holds, whatever becomes of them."""
        self.counts["found"] += files

    def add_known(self, files: int) -> None:
        """Count files that the table has already."""
        self.counts["known"] += files

    def add_left(self, files: int) -> None:
        """Count files that the run does not come to."""
        self.counts["left"] += files

    def add_deferred(self, path: str, reason: str, sentence: str) -> None:
        """Count a file that gets no row this time."""
        self.counts["deferred"] += 1
        self._give_reason("deferred", path, reason, sentence)

    def add_row(
        self,
        path: str,
        status: str,
        digit: int | None,
        confidence: float | None,
        duration_s: float | None,
        reason: str | None,
        message: str | None,
        seconds: float,
    ) -> None:
        """Count a row of the table: its columns, and the seconds it took."""
        self.counts[status] += 1
        _keep_largest(self._slowest, (seconds, path))
        if confidence is not None and duration_s is not None:
            self._heard.add(digit, confidence, duration_s)
            self._confidence_sum += confidence
            _keep_largest(self._least_certain, (-confidence, path, -1 if digit is None else digit))
        if reason is not None:
            self._give_reason("rejected", path, reason, message or reason)

    def _give_reason(self, outcome: str, path: str, reason: str, sentence: str) -> None:
        self._reasons[outcome][reason] += 1
        if len(self._set_aside[outcome]) < _NAMED:
            self._set_aside[outcome].append(SetAside(path=path, reason=reason, sentence=sentence))

    def summary(self, run: Run, ended_at: datetime, seconds: float, *, interrupted: bool) -> Summary:
        """Return what was counted; `seconds` is what the run took."""
        heard = self.counts["scored"] + self.counts["abstained"]
        return Summary(
            **(run.model_dump() | self.counts),
            ended_at=ended_at,
            seconds=seconds,
            files_per_s=(heard + self.counts["rejected"]) / seconds if seconds > 0 else 0.0,
            interrupted=interrupted,
            by_label={str(digit): files for digit, files in enumerate(self._heard.labels)},
            by_reason=dict(self._reasons["rejected"].most_common()),
            by_deferred_reason=dict(self._reasons["deferred"].most_common()),
            mean_confidence=self._confidence_sum / heard if heard else None,
            drift=self._heard.drifts(),
            slowest=tuple(SlowFile(path=path, seconds=took) for took, path in sorted(self._slowest, reverse=True)),
            least_certain=tuple(
                UncertainFile(path=path, digit=None if digit < 0 else digit, confidence=-negated)
                for negated, path, digit in sorted(self._least_certain, reverse=True)
            ),
            deferred_files=tuple(self._set_aside["deferred"]),
            rejected_files=tuple(self._set_aside["rejected"]),
        )


def lines(summary: Summary) -> list[str]:
    """Return what an operator reads after a run; no line holds a character that a terminal would obey."""
    return [shown(text) for text, _ in _sections(summary)]


def render(summary: Summary, console: "Console") -> None:
    """Print `lines`, in colour where the console has colours; a line longer than the console is not cut."""
    from rich.text import Text  # noqa: PLC0415 - a run without a terminal needs no Rich

    for text, style in _sections(summary):
        console.print(Text(shown(text), style=style), soft_wrap=True)


def _sections(summary: Summary) -> Iterator[tuple[str, str]]:
    yield f"run {summary.run_id}: {summary.seconds:,.1f} s, {summary.files_per_s:,.1f} files/s", "bold"
    if summary.interrupted:
        yield "interrupted: what was done is in the table, the next run takes up the rest", "yellow"
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
    more = f"the summary in JSON names the first {_NAMED}"
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


def _listed(files: Sequence[SetAside], total: int, more: str) -> list[str]:
    rows = [
        f"{file.reason:<20}  {file.path}: {file.sentence.removeprefix(f'{file.path}: ')}" for file in files[:_FIRST]
    ]
    return [*rows, f"and {total - len(rows):,} more: {more}"] if total > len(rows) else rows


def _equation(summary: Summary, name: str) -> str:
    parts = " + ".join(f"{files:,} {part}" for part, files in summary.sums[name].items())
    return f"{name} {getattr(summary, name):,} = {parts or 0}"


def _keep_largest(heap: list[T], item: T) -> None:
    (heappush if len(heap) < _FIRST else heappushpop)(heap, item)

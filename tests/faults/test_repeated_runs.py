"""Fourteen nights: each file has its rows, each once, whatever happened to it, to the model or to a run."""

import hashlib
import json
import signal
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from changing_inbox import ChangingInbox, ExpectedRows, Identity
from score_process import AUDIOMNIST, LET_DOWN, Scorer
from table_files import rows

from audiomnist.scoring.summary import OUTCOMES, Summary
from audiomnist.scoring.table.schema import LABELS

NIGHTS = range(1, 15)
OTHER_MODEL, RESCORED, CRASHED = 8, 9, 11
COMMITS_OF_THE_CRASH = 2


@dataclass(frozen=True)
class Series:
    """Repeated runs over an inbox, with the rows that they must write."""

    scorer: Scorer
    inbox: ChangingInbox
    expected: ExpectedRows

    def run(self, *options: str) -> Summary:
        """Run, and compare the summary and the table with the expected rows."""
        model = self.model_version()
        outcomes, new = self.expected.run(self.inbox.files, model, rescore="--rescore" in options)
        summary = self.scorer.summary(*options)
        assert summary.model_version == model
        assert summary.found == len(self.inbox.files)
        assert {outcome: getattr(summary, outcome) for outcome in OUTCOMES} == {
            outcome: outcomes[outcome] for outcome in OUTCOMES
        }
        self.expected.add(new)
        assert self.in_table() == self.expected.rows
        return summary

    def crashed_night(self) -> None:
        """Be killed after some commits, whose rows are added to the expected ones."""
        _, new = self.expected.run(self.inbox.files, self.model_version(), rescore=False)
        doomed = replace(self.scorer, launcher=(*LET_DOWN, "entry", "after", str(COMMITS_OF_THE_CRASH)))
        assert doomed.ended().status == -signal.SIGKILL
        made = self.in_table().keys() - self.expected.rows.keys()
        assert len(made) == COMMITS_OF_THE_CRASH * self.scorer.batch_size < len(new)
        self.expected.add({row: new[row] for row in made})
        assert self.in_table() == self.expected.rows

    def in_table(self) -> dict[Identity, str]:
        """Return the status of each row, having checked that none is there twice."""
        found = rows(self.scorer.table)
        statuses: dict[Identity, str] = dict(zip(LABELS.identities(found), found["status"].to_pylist(), strict=True))  # type: ignore[arg-type]
        assert len(statuses) == len(found)
        return statuses

    def with_bundle(self, bundle: Path) -> "Series":
        """Return the same with another model."""
        return replace(self, scorer=replace(self.scorer, bundle=bundle))

    def model_version(self) -> str:
        """Return the version of the model."""
        return hashlib.sha256((self.scorer.bundle / "bundle.json").read_bytes()).hexdigest()

    def history(self) -> list[dict[str, object]]:
        """Return the runs in `audiomnist table history`, the first one first."""
        command = [*AUDIOMNIST, "table", "history", str(self.scorer.table), "--json"]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        return [json.loads(line) for line in reversed(output.splitlines())]


@pytest.mark.long
def test_fourteen_repeated_runs(bundle: Path, other_bundle: Path, tmp_path: Path) -> None:
    """Arrivals, renames, edits, deletions, touches, copies, bad files; another model, all scored again; a crash."""
    scorer = Scorer(tmp_path / "inbox", tmp_path / "table", bundle, batch_size=20, workers=2)
    series = Series(scorer, ChangingInbox(scorer.inbox, seed=3), ExpectedRows())
    summaries: list[Summary | None] = []
    for night in NIGHTS:
        series.inbox.change(arrivals=200)
        if night == OTHER_MODEL:
            series = series.with_bundle(other_bundle)
        if night == CRASHED:
            series.crashed_night()
            summaries.append(None)
        summaries.append(series.run("--rescore") if night == RESCORED else series.run())
    assert [run["summary"] for run in series.history()] == [
        summary and json.loads(summary.to_json()) for summary in summaries
    ]

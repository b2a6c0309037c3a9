"""History of a table: the runs that committed to it, from its log."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

# Keys of a commit's metadata: the id of its run, and in the last commit of a run its summary in JSON.
RUN_ID = "audiomnist.run_id"
RUN = "audiomnist.run"


@dataclass(frozen=True)
class CommittedRun:
    """A run that committed to the table.

    `version` is that of the table after the run's last commit, `committed_at` the time of that commit in UTC; `summary`
    is None if the run did not finish.
    """

    run_id: str
    version: int
    committed_at: datetime
    summary: dict[str, Any] | None


def runs(commits: Iterable[Mapping[str, Any]]) -> list[CommittedRun]:
    """Return the runs of commits; both are sorted from the latest to the first."""
    by_id: dict[str, CommittedRun] = {}
    for commit in commits:
        run_id = commit.get(RUN_ID)
        if run_id is not None and run_id not in by_id:
            committed_at = datetime.fromtimestamp(commit["timestamp"] / 1000, UTC)
            by_id[run_id] = CommittedRun(run_id, commit["version"], committed_at, json.loads(commit.get(RUN, "null")))
    return list(by_id.values())

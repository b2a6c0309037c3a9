"""What the table's log says of the runs that wrote to it."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

# Keys of a commit's metadata: the id of its run, and with a run's last commit the run's summary in JSON.
RUN_ID = "audiomnist.run_id"
RUN = "audiomnist.run"


@dataclass(frozen=True)
class Run:
    """One run.

    Attributes:
        run_id: of the run.
        version: of the table after the run's last commit.
        committed_at: when that was, UTC.
        summary: what the run told at its end, None if it did not come to its end.
    """

    run_id: str
    version: int
    committed_at: datetime
    summary: dict[str, Any] | None


def runs(commits: Iterable[Mapping[str, Any]]) -> list[Run]:
    """Return the runs behind commits, both the latest first."""
    found: dict[str, Run] = {}
    for commit in commits:
        if RUN_ID in commit:
            found.setdefault(commit[RUN_ID], _run(commit))
    return list(found.values())


def _run(commit: Mapping[str, Any]) -> Run:
    committed_at = datetime.fromtimestamp(commit["timestamp"] / 1000, UTC)
    return Run(commit[RUN_ID], commit["version"], committed_at, json.loads(commit.get(RUN, "null")))

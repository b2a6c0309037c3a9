"""The gate of the transcripts: one row per recording, from one recognizer."""

from pathlib import Path

import pandas as pd

from audiomnist.transcripts.table import TABLE_NAME, Status
from audiomnist.validation.bounds import TranscriptBounds
from audiomnist.validation.measurements import found_in, read_manifest, read_table
from audiomnist.validation.rules import Rule, among, between, equal, unique

_STATUSES = [str(status) for status in Status]
_EMPTY = dict.fromkeys(["sha256", "engine", "engine_version", "status", "text"], "")


def rules(bounds: TranscriptBounds) -> list[Rule]:
    """Return the rules for the columns of `measure`."""
    recognized, failed = bounds.min_recognized_fraction, bounds.max_failed_fraction
    most = bounds.max_hypotheses
    not_failed = [status for status in _STATUSES if status != Status.FAILED]
    return [
        among("manifest and transcripts both contain it", "found_in", ["manifest and transcripts"]),
        unique("no recording is transcribed twice", "recording"),
        equal("the transcribed content has the hash of the manifest", "sha256", "manifest_sha256"),
        among(f"the status is one of {', '.join(_STATUSES)}", "status", _STATUSES),
        equal("all are from one engine in one version", "engine_and_version", "most_common_engine"),
        among("there is a text exactly where the status is recognized", "text_fits_status", [True]),
        equal("the text is the first hypothesis", "text", "first_hypothesis"),
        between(f"there are at most {most} hypotheses", "hypothesis_count", high=most),
        among(f"at least {recognized:.1%} are recognized", "status", [Status.RECOGNIZED.value], recognized),
        among(f"at most {failed:.1%} failed", "status", not_failed, 1 - failed),
    ]


def measure(manifest: Path, folder: Path) -> pd.DataFrame:
    """Return one row per transcript, and one per recording without; a missing value counts as an empty text."""
    table = read_table(folder / TABLE_NAME, ["file", *_EMPTY, "hypotheses"]).fillna(_EMPTY)
    hypotheses = [[] if cell is None else list(cell) for cell in table["hypotheses"]]
    table = table.assign(
        engine_and_version=table["engine"] + " " + table["engine_version"],
        text_fits_status=(table["text"] != "") == (table["status"] == Status.RECOGNIZED),
        hypothesis_count=[len(cell) for cell in hypotheses],
        first_hypothesis=[cell[0]["text"] if cell else "" for cell in hypotheses],
    ).drop(columns=["engine", "engine_version", "hypotheses"])
    recordings = pd.DataFrame(read_manifest(manifest))[["file", "sha256"]].rename(columns={"sha256": "manifest_sha256"})
    frame = recordings.merge(table, on="file", how="outer").rename(columns={"file": "recording"})
    return frame.assign(
        found_in=found_in(manifest=frame["manifest_sha256"].notna(), transcripts=frame["status"].notna()),
        most_common_engine=frame["engine_and_version"].mode().max(),
    )

"""The gate of the log-probabilities: one row per recording, finite numbers, and digits among them."""

from pathlib import Path

import numpy as np
import pandas as pd

from audiomnist.logprobs.table import TABLE_NAME
from audiomnist.validation.bounds import LogprobBounds
from audiomnist.validation.measurements import found_in, read_manifest, read_table
from audiomnist.validation.rules import Rule, among, between, equal, unique


def rules(bounds: LogprobBounds) -> list[Rule]:
    """Return the rules for the columns of `measure`."""
    least, fraction = bounds.min_listed_probability, bounds.min_recognized_fraction
    return [
        among("manifest and log-probabilities both contain it", "found_in", ["manifest and logprobs"]),
        unique("no recording is read twice", "recording"),
        equal("the content that was read has the hash of the manifest", "sha256", "manifest_sha256"),
        among("all values are finite numbers", "finite", [True]),
        between("no value is above 0", "highest", high=0.0),
        between(
            f"in at least {fraction:.1%} the listed tokens have a probability of {least:g} or more together",
            "listed_probability",
            least,
            fraction=fraction,
        ),
    ]


def measure(manifest: Path, folder: Path) -> pd.DataFrame:
    """Return one row per row of the table, and one per recording without."""
    recordings = pd.DataFrame(read_manifest(manifest))[["file", "sha256"]].rename(columns={"sha256": "manifest_sha256"})
    table = read_table(folder / TABLE_NAME, ["file", "sha256", "logprobs"])
    values = [np.array([] if row is None else row, dtype=np.float64) for row in table["logprobs"]]
    table = table.assign(
        finite=[bool(len(row) and np.isfinite(row).all()) for row in values],
        highest=[row.max(initial=-np.inf) for row in values],
        listed_probability=[np.exp(row).sum() for row in values],
    ).drop(columns="logprobs")
    frame = recordings.merge(table, on="file", how="outer").rename(columns={"file": "recording"})
    found = found_in(manifest=frame["manifest_sha256"].notna(), logprobs=frame["finite"].notna())
    return frame.assign(found_in=found)

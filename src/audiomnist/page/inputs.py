"""What the page reads: reports, which may be missing, and test predictions."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from audiomnist.core.digits import PROBABILITIES
from audiomnist.core.errors import AudiomnistError
from audiomnist.evaluation.names import TITLES

PROTOCOLS_COMMAND = "make protocols"
COST_COMMAND = "python -m benchmarks.cost"


class PageError(AudiomnistError):
    """A report or a table of predictions cannot be read."""


@dataclass(frozen=True)
class Reports:
    """The folder of reports; the page says which are missing, and what makes them."""

    folder: Path
    missing: dict[str, str] = field(default_factory=dict)

    def json(self, name: str, remedy: str = "dvc repro") -> Any:
        """Return a report; None if it is missing, which is noted with the command that makes it.

        Raises:
            PageError: it is no JSON.
        """
        path = self.folder / name
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            self.missing[name] = remedy
            return None
        except (OSError, ValueError) as error:
            raise PageError(f"{path} is no report ({error}): {remedy} writes it") from error

    def required(self, name: str) -> Any:
        """Return a report of the main pipeline, without which there is no page; raises PageError if it is missing."""
        report = self.json(name)
        if report is None:
            raise PageError(f"{self.folder / name} cannot be read: dvc repro writes it")
        return report

    def csv(self, name: str, remedy: str = "dvc repro", **options: Any) -> pd.DataFrame | None:
        """Return a table in the same way."""
        return self._table(name, remedy, lambda path: pd.read_csv(path, **options))

    def parquet(self, name: str, remedy: str = "dvc repro") -> pd.DataFrame | None:
        """Return a table in the same way."""
        return self._table(name, remedy, pd.read_parquet)

    def _table(self, name: str, remedy: str, read: Any) -> pd.DataFrame | None:
        path = self.folder / name
        if not path.exists():
            self.missing[name] = remedy
            return None
        try:
            table: pd.DataFrame = read(path)
        except (OSError, ValueError) as error:
            raise PageError(f"{path} is no table ({error}): {remedy} writes it") from error
        return table

    def notes(self, *names: str) -> list[tuple[str, str]]:
        """Return the missing reports of these names, or of folders of these names, with the commands that make them."""
        return [(name, remedy) for name, remedy in self.missing.items() if name.startswith(names)]


def read_predictions(folder: Path) -> dict[str, pd.DataFrame]:
    """Return the test predictions of each model, ordered by file, with the column `confidence`, in [0, 1].

    Raises:
        PageError: those of a model cannot be read, or have other clips.
    """
    tables = {}
    for model in TITLES:
        path = folder / f"{model}.parquet"
        try:
            table = pd.read_parquet(path).sort_values("file", ignore_index=True)
            tables[model] = table.assign(confidence=table[PROBABILITIES].max(axis=1))
        except (OSError, ValueError, KeyError) as error:
            raise PageError(f"no predictions can be read from {path} ({error}): dvc repro writes them") from error
    first = next(iter(tables.values()))
    for model, table in tables.items():
        if not table["file"].equals(first["file"]):
            raise PageError(
                f"{folder / model}.parquet has other clips than that of another model: dvc repro evaluates again"
            )
    return tables

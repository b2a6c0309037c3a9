"""The protocols in one table, for the terminal and for the README."""

import json
from pathlib import Path
from typing import Any

from audiomnist.errors import AudiomnistError
from audiomnist.report import TITLES

HEAD = ("model", "random, mean (range) of five", "takes 0 to 4", "unseen speaker, mean of six", "interval", "worst")
LINEAR = {"linear": "linear on MFCC statistics"}


def read(reports: Path) -> dict[str, Any]:
    """Return what the stages `random`, `official` and `unseen` wrote; raises AudiomnistError if one did not."""
    found = {name: _read(reports / f"{name}.json") for name in ("random", "official", "unseen")}
    rows(found)
    return found


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise AudiomnistError(
            f"no report can be read from {path} ({error}): dvc repro stages/protocols/dvc.yaml writes it"
        ) from error


def rows(found: dict[str, Any]) -> list[tuple[str, ...]]:
    """Return a row of text per model, in the order of `HEAD`; raises AudiomnistError if a report lacks a figure."""
    try:
        return [_row(title, *(found[name][model] for name in found)) for model, title in (TITLES | LINEAR).items()]
    except (LookupError, TypeError) as error:
        raise AudiomnistError(
            f"the protocols' reports lack {error}: dvc repro stages/protocols/dvc.yaml writes them anew"
        ) from error


def _row(title: str, random: dict[str, float], official: dict[str, float], unseen: dict[str, float]) -> tuple[str, ...]:
    return (
        title,
        f"{random['mean']:.1%} ({100 * random['lowest']:.1f} to {random['highest']:.1%})",
        f"{official['accuracy']:.1%}",
        f"{unseen['mean']:.1%}",
        f"{100 * unseen['mean_low']:.1f} to {unseen['mean_high']:.1%}",
        f"{unseen['worst']:.1%}",
    )

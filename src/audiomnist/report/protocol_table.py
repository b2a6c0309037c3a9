"""The protocols in one table, for the terminal and for the README."""

import json
from pathlib import Path
from typing import Any

from audiomnist.core.errors import AudiomnistError
from audiomnist.evaluation.names import TITLES

HEAD = ("model", "random, mean (range) of five", "takes 0 to 4", "unseen speaker, mean of six", "interval", "worst")

_PROTOCOLS = ("random", "official", "unseen")
_MODELS = TITLES | {"linear": "linear on MFCC statistics"}
_NOT_RUN = "not run"


def read(reports: Path) -> dict[str, Any]:
    """Return what those of the stages `random`, `official` and `unseen` wrote that have run.

    Raises:
        AudiomnistError: none has run, or a report cannot be read.
    """
    paths = {name: reports / f"{name}.json" for name in _PROTOCOLS}
    found = {name: _read(path) for name, path in paths.items() if path.exists()}
    if not found:
        raise AudiomnistError(
            f"there is no report of a protocol in {reports}: dvc repro stages/protocols/dvc.yaml runs them"
        )
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
        return [_row(title, {name: found[name][model] for name in found}) for model, title in _MODELS.items()]
    except (LookupError, TypeError) as error:
        raise AudiomnistError(
            f"the protocols' reports lack {error}: dvc repro stages/protocols/dvc.yaml writes them anew"
        ) from error


def _row(title: str, found: dict[str, dict[str, float]]) -> tuple[str, ...]:
    random, official, unseen = (found.get(name) for name in _PROTOCOLS)
    return (
        title,
        f"{random['mean']:.1%} ({100 * random['lowest']:.1f} to {random['highest']:.1%})" if random else _NOT_RUN,
        f"{official['accuracy']:.1%}" if official else _NOT_RUN,
        f"{unseen['mean']:.1%}" if unseen else _NOT_RUN,
        f"{100 * unseen['mean_low']:.1f} to {unseen['mean_high']:.1%}" if unseen else _NOT_RUN,
        f"{unseen['worst']:.1%}" if unseen else _NOT_RUN,
    )

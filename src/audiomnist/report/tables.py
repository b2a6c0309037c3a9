"""Tables of the results and of the protocols, for the terminal and for Markdown."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.table import Table

from audiomnist.core.errors import AudiomnistError
from audiomnist.evaluation.names import TITLES

if TYPE_CHECKING:
    from audiomnist.report.diff import Comparison, Difference

_PROTOCOLS = ("random", "official", "unseen")
_PROTOCOLS_COMMAND = "dvc repro stages/protocols/dvc.yaml"
_MODELS = TITLES | {"linear": "linear on MFCC statistics"}
_NOT_RUN = "not run"


@dataclass(frozen=True)
class ResultTable:
    """A table of texts: names of columns, rows, and a title, which only the terminal shows."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    title: str = ""

    def rich(self) -> Table:
        """Return the table for a terminal."""
        table = Table(*self.head, title=self.title)
        for row in self.rows:
            table.add_row(*row)
        return table

    def markdown(self) -> str:
        """Return the table in Markdown."""
        return "\n".join(f"| {' | '.join(row)} |" for row in [self.head, ["---"] * len(self.head), *self.rows])

    def echo(self, *, markdown: bool = False) -> None:
        """Print the table, in Markdown or for a terminal."""
        if markdown:
            typer.echo(self.markdown())
        else:
            Console().print(self.rich())


def results(comparison: Path) -> ResultTable:
    """Return the models beside the paper, from the JSON of the stage `compare`.

    Raises:
        AudiomnistError: the JSON cannot be read.
    """
    try:
        models = json.loads(comparison.read_text(encoding="utf-8"))["comparison"]
        rows = [_result_row(title, models[name]) for name, title in TITLES.items()]
        title = f"Accuracy on {models['dataset']}"
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise AudiomnistError(f"no comparison can be read from {comparison} ({error}): dvc repro writes it") from error
    return ResultTable(("model", "train", "test", "95% interval", "paper: train", "paper: test"), rows, title)


def _result_row(title: str, scores: dict[str, float]) -> tuple[str, ...]:
    return (
        title,
        f"{scores['train_accuracy']:.1%}",
        f"{scores['accuracy']:.1%}",
        f"{100 * scores['accuracy_low']:.1f} to {scores['accuracy_high']:.1%}",
        *(f"{scores[key]:.1%}" if key in scores else "-" for key in ("paper_train_accuracy", "paper_accuracy")),
    )


def protocols(reports: Path) -> ResultTable:
    """Return the accuracy of each model by protocol, from a folder of `random.json`, `official.json`, `unseen.json`.

    Raises:
        AudiomnistError: none of them exists, one cannot be read, or one lacks a number.
    """
    paths = [path for name in _PROTOCOLS if (path := reports / f"{name}.json").exists()]
    if not paths:
        raise AudiomnistError(f"there is no report of a protocol in {reports}: {_PROTOCOLS_COMMAND} runs them")
    try:
        by_protocol = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in paths}
        rows = [
            _protocol_row(title, {protocol: models[name] for protocol, models in by_protocol.items()})
            for name, title in _MODELS.items()
        ]
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise AudiomnistError(
            f"no accuracies can be read from {', '.join(map(str, paths))} ({error}): {_PROTOCOLS_COMMAND} writes them"
        ) from error
    head = ("model", "random, mean (range) of five", "takes 0 to 4", "unseen speaker, mean of six", "interval", "worst")
    return ResultTable(head, rows, "Accuracy by protocol")


def _protocol_row(title: str, scores: dict[str, dict[str, float]]) -> tuple[str, ...]:
    random, official, unseen = (scores.get(protocol) for protocol in _PROTOCOLS)
    return (
        title,
        f"{random['mean']:.1%} ({100 * random['lowest']:.1f} to {random['highest']:.1%})" if random else _NOT_RUN,
        f"{official['accuracy']:.1%}" if official else _NOT_RUN,
        f"{unseen['mean']:.1%}" if unseen else _NOT_RUN,
        f"{100 * unseen['mean_low']:.1f} to {unseen['mean_high']:.1%}" if unseen else _NOT_RUN,
        f"{unseen['worst']:.1%}" if unseen else _NOT_RUN,
    )


def differences(comparison: "Comparison") -> ResultTable:
    """Return a row per model that two revisions have."""
    names = (comparison.first.name, comparison.second.name)
    head = ("model", "clips", *names, "points", "only first right", "only second right", "McNemar p")
    rows = [_difference_row(name, difference) for name, difference in comparison.differences.items()]
    return ResultTable(head, rows, "Test clips in common")


def _difference_row(name: str, difference: "Difference") -> tuple[str, ...]:
    if not difference.clips:
        return (name, "0", *["-"] * 6)
    accuracies = [f"{difference.first_accuracy:.2%}", f"{difference.second_accuracy:.2%}"]
    counts = [f"{difference.only_first:,}", f"{difference.only_second:,}"]
    points, p = f"{difference.difference_points:+.2f}", f"{difference.mcnemar_p:.3g}"
    return (name, f"{difference.clips:,}", *accuracies, points, *counts, p)

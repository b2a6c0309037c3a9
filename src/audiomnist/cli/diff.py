"""The command `audiomnist diff`."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from audiomnist.report.diff import Difference


def diff(
    first: Annotated[str, typer.Argument(help="Git revision or experiment: a branch, a tag, a commit, a name.")],
    second: Annotated[str, typer.Argument(help="The same; `workspace` means the files as they are now.")] = "workspace",
    model: Annotated[list[str] | None, typer.Option(help="Compare this model; may be repeated. Default: all.")] = None,
    predictions: Annotated[
        Path, typer.Option(readable=False, help="Folder of the test predictions, <model>.parquet.")
    ] = Path("data/predictions"),
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print a Markdown table.")] = False,
) -> None:
    """Test whether the models of two revisions differ by more than chance, on the test clips that both have.

    Nothing is run and nothing is checked out: DVC keeps the test predictions of each revision. A row per model has the
    accuracies, their difference in percentage points, the number of clips that only one of the two classifies right,
    and the exact McNemar p-value: how often two equally good models would divide those clips at least as unevenly. It
    accounts for the choice of the test clips, not for the training's seed. Status 1: a revision cannot be read.
    """
    from audiomnist.evaluation.metrics import rounded  # noqa: PLC0415 - keeps --help quick
    from audiomnist.evaluation.names import TITLES  # noqa: PLC0415
    from audiomnist.report import diff as report  # noqa: PLC0415
    from audiomnist.report.tables import ResultTable  # noqa: PLC0415

    if not first or not second or (as_json and markdown):
        raise typer.BadParameter("name two revisions, and one of --json and --markdown at most")
    found, notes = report.compare_revisions(first, second, predictions, model or list(TITLES))
    if as_json:
        models = {name: asdict(difference) for name, difference in found.items()}
        print(json.dumps(rounded({"first": first, "second": second, "models": models, "notes": notes}), indent=2))
        return
    head = ["model", "clips", first, second, "points", "only first right", "only second right", "McNemar p"]
    rows = [_row(name, difference) for name, difference in found.items()]
    ResultTable(head, rows, "Test clips in common").echo(markdown=markdown)
    for name, note in notes.items():
        print(f"\n{name}: {note}")


def _row(name: str, difference: "Difference") -> list[str]:
    if not difference.clips:
        return [name, "0", *["-"] * 6]
    accuracies = [f"{difference.first_accuracy:.2%}", f"{difference.second_accuracy:.2%}"]
    counts = [f"{difference.only_first:,}", f"{difference.only_second:,}"]
    points, p = f"{difference.difference_points:+.2f}", f"{difference.mcnemar_p:.3g}"
    return [name, f"{difference.clips:,}", *accuracies, points, *counts, p]

"""The command `audiomnist diff`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from audiomnist.report.diff import Comparison, Difference


def diff(
    first: Annotated[str, typer.Argument(help="Git revision or experiment: a branch, a tag, a commit, a name.")],
    second: Annotated[str, typer.Argument(help="The same; `workspace` means the files as they are now.")] = "workspace",
    model: Annotated[
        list[str] | None, typer.Option(help="Compare this model; may be given again. By default, all.")
    ] = None,
    predictions: Annotated[
        Path, typer.Option(readable=False, help="Folder of the test predictions, <model>.parquet.")
    ] = Path("data/predictions"),
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print a Markdown table.")] = False,
) -> None:
    """Say whether the models of two revisions differ by more than chance, on the test clips that both have.

    Nothing is run and nothing is checked out: DVC keeps the test predictions of each revision. A row per model has the
    accuracies, their difference in percentage points, how many clips only one of the two gets right, and the exact
    McNemar p-value: how often two equally good models would share those clips out at least as unevenly. It accounts
    for the luck of the test clips, not for that of the training's seed. Status 1: there is no such revision, or its
    predictions cannot be had.
    """
    _check(first, second, as_json=as_json, markdown=markdown)
    comparison = _compared(first, second, predictions, model)
    if as_json:
        typer.echo(comparison.to_json())
    elif markdown:
        typer.echo(_markdown(comparison))
    else:
        _print(comparison)


def _check(first: str, second: str, *, as_json: bool, markdown: bool) -> None:
    for revision, hint in ((first, "FIRST"), (second, "SECOND")):
        if not revision.strip():
            raise typer.BadParameter("it names no revision", param_hint=hint)
    if as_json and markdown:
        raise typer.BadParameter("--json and --markdown exclude each other", param_hint="--json")


def _compared(first: str, second: str, predictions: Path, models: list[str] | None) -> "Comparison":
    from audiomnist.evaluation.names import TITLES  # noqa: PLC0415 - keeps --help quick
    from audiomnist.report import diff as revisions  # noqa: PLC0415

    return revisions.compare_revisions(first, second, predictions, models or list(TITLES))


def _print(comparison: "Comparison") -> None:
    console = Console()
    drawn = Table(
        title=f"Test clips in common: {escape(comparison.first)} (first), {escape(comparison.second)} (second)"
    )
    for head in _heads("first", "second"):
        drawn.add_column(head, overflow="fold")
    for name, difference in comparison.models.items():
        drawn.add_row(*map(escape, _row(name, difference)))
    console.print(drawn)
    for note in _notes(comparison):
        console.print(note, markup=False, highlight=False, soft_wrap=True)


def _markdown(comparison: "Comparison") -> str:
    heads = _heads(comparison.first, comparison.second)
    rows = [heads, ["---"] * len(heads), *(_row(*item) for item in comparison.models.items())]
    return "\n\n".join(["\n".join(map(_markdown_line, rows)), *_notes(comparison)])


def _markdown_line(cells: list[str]) -> str:
    escaped = [cell.replace("|", "\\|") for cell in cells]
    return f"| {' | '.join(escaped)} |"


def _heads(first: str, second: str) -> list[str]:
    return ["model", "clips", first, second, "points", "only first right", "only second right", "McNemar p"]


def _row(name: str, difference: "Difference") -> list[str]:
    clips = f"{difference.clips:,}"
    if difference.mcnemar_p is None:
        return [name, clips, *["-"] * 6]
    accuracies = [f"{difference.first_accuracy:.2%}", f"{difference.second_accuracy:.2%}"]
    alone = [f"{difference.only_first:,}", f"{difference.only_second:,}"]
    return [name, clips, *accuracies, f"{difference.difference_points:+.2f}", *alone, f"{difference.mcnemar_p:.3g}"]


def _notes(comparison: "Comparison") -> list[str]:
    return [f"{model}: {note}" for model, note in comparison.notes.items()]

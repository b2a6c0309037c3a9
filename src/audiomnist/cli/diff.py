"""The command `audiomnist diff`."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer


def diff(
    first: Annotated[str, typer.Argument(help="Git revision or experiment: a branch, a tag, a commit, a name.")],
    second: Annotated[str, typer.Argument(help="The same; `workspace` means the files as they are now.")] = "workspace",
    model: Annotated[list[str] | None, typer.Option(help="Compare this model; may be repeated. Default: all.")] = None,
    predictions: Annotated[
        Path, typer.Option(readable=False, help="Folder of the test predictions, <model>.parquet.")
    ] = Path("data/predictions"),
    *,
    html: Annotated[
        Path | None, typer.Option(help="Write a page: table, curves, confusion matrices, clips that changed sides.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print a Markdown table.")] = False,
) -> None:
    """Test whether the models of two revisions differ by more than chance, on the test clips that both have.

    Nothing is run and nothing is checked out: DVC keeps the test predictions of each revision. A row per model has the
    accuracies, their difference in percentage points, the number of clips that only one of the two classifies right,
    and the exact McNemar p-value: how often two equally good models would divide those clips at least as unevenly. It
    accounts for the choice of the test clips, not for the training's seed. With --html a
    page has the clips themselves. Status 1: a revision cannot be read, or the page cannot be written.
    """
    from audiomnist.evaluation.metrics import rounded  # noqa: PLC0415 - keeps --help quick
    from audiomnist.evaluation.names import TITLES  # noqa: PLC0415
    from audiomnist.report import diff as report  # noqa: PLC0415
    from audiomnist.report.tables import differences  # noqa: PLC0415

    if not first or not second or (as_json and markdown):
        raise typer.BadParameter("name two revisions, and one of --json and --markdown at most")
    comparison = report.compare_revisions(first, second, predictions, model or list(TITLES))
    notice = None
    if html:
        from audiomnist.page.diff import write  # noqa: PLC0415

        notice = write(comparison, html)
    if as_json:
        models = {name: asdict(difference) for name, difference in comparison.differences.items()}
        printed = {"first": first, "second": second, "models": models, "notes": comparison.notes}
        print(json.dumps(rounded(printed), indent=2))
    else:
        differences(comparison).echo(markdown=markdown)
        for name, note in comparison.notes.items():
            print(f"\n{name}: {note}")
    if notice:
        print(f"audiomnist: {notice}", file=sys.stderr)

"""The commands `audiomnist corpus ...`."""

import re
from pathlib import Path
from typing import Annotated

import typer

from audiomnist.cli.places import local_folder

app = typer.Typer(help="Add recordings to the corpus of a checkout.", no_args_is_help=True)


@app.command()
def add(
    reviews: Annotated[
        Path,
        typer.Option(metavar="TABLE-reviews", parser=local_folder, help="Folder of the judgements of a table."),
    ],
    inbox: Annotated[
        Path, typer.Option(metavar="INBOX", parser=local_folder, help="Folder of the files that were judged.")
    ],
    speaker: Annotated[str, typer.Option(metavar="NAME", help="Speaker of the recordings: letters, digits, . _ and -")],
    by: Annotated[
        str | None, typer.Option(metavar="NAME", help="Take the label of this person where there are several.")
    ] = None,
) -> None:
    """Add the clips that people judged to be digits to the corpus of the checkout in the current folder.

    They become recordings of SPEAKER in data/reviewed, which DVC versions, and rows of data/reviewed.csv. `dvc repro`
    then trains on them; validation and test set stay as they are. Status 1: some cannot be added; the error names them,
    and all others are added. A killed run adds none, or all: run it again.
    """
    from audiomnist.cli.add_reviewed import add_reviewed  # noqa: PLC0415 - keeps --help quick
    from audiomnist.corpus.layouts import SPEAKER  # noqa: PLC0415

    if not re.fullmatch(SPEAKER, speaker):
        allowed = "letters, digits, '.', '_' and '-', no '_' first"
        raise typer.BadParameter(f"{speaker!r} is no speaker's name: {allowed}", param_hint="--speaker")
    add_reviewed(Path.cwd(), reviews, inbox, speaker, by)

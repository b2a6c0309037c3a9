"""The command `audiomnist`."""

import sys
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated

import typer

from audiomnist.cli.corpus import app as corpus
from audiomnist.cli.diff import diff
from audiomnist.cli.microphone import devices, listen, record
from audiomnist.cli.review import review
from audiomnist.cli.score import score, served_model
from audiomnist.cli.table import app as table
from audiomnist.core import extras
from audiomnist.core.errors import AudiomnistError
from audiomnist.scoring.shutdown import INTERRUPTED

app = typer.Typer(
    help="Spoken digits: versioned data, five models with honest metrics, a batch scorer.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def _print_version(requested: bool) -> None:  # noqa: FBT001 - Typer passes it by position
    if not requested:
        return
    from importlib.metadata import version  # noqa: PLC0415 - keeps --help quick

    from audiomnist.serving.bundle.description import describe_served  # noqa: PLC0415

    print(f"audiomnist {version('audiomnist')}")
    model, model_version = describe_served(served_model())
    print(f"model {model.model} ({model.dataset.name} {model.dataset.version}), version {model_version[:12]}")
    raise typer.Exit


@app.callback()
def _options(
    *,
    _version: Annotated[
        bool,
        typer.Option("--version", is_eager=True, callback=_print_version, help="Print program and model, and exit."),
    ] = False,
) -> None:
    """Handle the options before the command."""


app.command()(score)
app.command()(diff)
for microphone_command in (devices, record, listen):
    app.command()(microphone_command)
app.command()(review)
app.add_typer(table, name="table")
app.add_typer(corpus, name="corpus")


@app.command()
def results(
    comparison: Annotated[Path, typer.Argument(help="Output of the stage compare.")] = Path("reports/comparison.json"),
    *,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print a Markdown table.")] = False,
) -> None:
    """Print the models beside the paper's numbers."""
    from audiomnist.report import tables  # noqa: PLC0415

    tables.results(comparison).echo(markdown=markdown)


@app.command()
def protocols(
    reports: Annotated[Path, typer.Argument(help="Folder of random.json, official.json and unseen.json.")] = Path(
        "reports"
    ),
    *,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print a Markdown table.")] = False,
    run: Annotated[bool, typer.Option("--run", help="Run the protocols of this checkout first.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", help="With --run: print DVC's messages, too.")] = False,
) -> None:
    """Print the accuracy of the models on random splits, on upstream's split, and on unseen speakers."""
    from audiomnist.report import tables  # noqa: PLC0415

    if run:
        from audiomnist.cli.repro import reproduce  # noqa: PLC0415

        reproduce(Path("stages/protocols/dvc.yaml").absolute(), verbose=verbose)
    tables.protocols(reports).echo(markdown=markdown)


@app.command()
def fresh(
    checkout: Annotated[Path, typer.Argument(help="The checkout of this repository.")] = Path(),
) -> None:
    """Say whether every dvc.lock is the result of the code, the parameters and the manifest of a checkout.

    Neither data nor DVC's cache is needed: a plain clone will do. A line for each thing that is stale has the stage,
    the file, the reason and the remedy. Status 1: something is stale, or the checkout has no pipeline.
    """
    from audiomnist.cli.fresh import stale_entries  # noqa: PLC0415

    stages, found = stale_entries(checkout.absolute())
    for stale in found:
        print(f"{stale.stage}: {stale.path} {stale.reason}: {stale.remedy}")
    if found:
        raise typer.Exit(1)
    print(f"{stages} stages are fresh")


@app.command()
def manifest(
    folder: Annotated[
        Path, typer.Argument(exists=True, file_okay=False, help="Folder of recordings, with or without folders in it.")
    ],
    out: Annotated[Path, typer.Option(help="File to write.")] = Path("data/manifest.csv"),
    *,
    pattern: Annotated[
        str | None,
        typer.Option(help="How paths state the labels: '{speaker}/{word}-{take}.wav' or '{speaker}/*_{digit}.wav'."),
    ] = None,
) -> None:
    """Write the manifest of a folder of recordings: name, digit, speaker, take and SHA-256 of each.

    Without --pattern, the names are {digit}_{speaker}_{take}.wav, in folders or not, or those of Speech Commands:
    {word}/{speaker}_nohash_{take}.wav. Recordings of other words are left out.
    """
    from audiomnist.corpus import manifest as manifests  # noqa: PLC0415

    recordings, left_out, renumbered = manifests.describe_folder(folder, pattern)
    manifests.write(out, recordings)
    speakers = len({recording.speaker for recording in recordings})
    print(f"{out}: recordings {len(recordings)}, speakers {speakers}")
    if left_out:
        print(f"left out, of other words: {', '.join(f'{word} {count}' for word, count in left_out.items())}")
    if renumbered:
        print(f"takes numbered anew: {renumbered}, since files of one digit and speaker state the same take.")
        print("If they are of different speakers, --pattern '{speaker}/{digit}_{speaker}_{take}.wav' names them apart.")


@app.command()
def quickstart(
    checkout: Annotated[Path, typer.Argument(help="The checkout of this repository.")] = Path(),
    *,
    verbose: Annotated[bool, typer.Option("--verbose", help="Print DVC's messages, too.")] = False,
) -> None:
    """Run the whole pipeline, score twenty recordings of the test set, compare with the committed results.

    Without access to the recordings, use synthetic voices, in build/synthetic. The exit status is that of the stage
    that failed.
    """
    from audiomnist.cli.quickstart import quickstart as run  # noqa: PLC0415

    run(checkout.absolute(), verbose=verbose)


def main() -> None:
    """Run the command; print the message of an error that the user can resolve, without a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            # A terminal may lack characters that names have. A reader that is gone is noticed at once, not at exit.
            stream.reconfigure(errors="backslashreplace", line_buffering=True)
    try:
        with extras.explained("pipeline"):
            app()
    except AudiomnistError as error:
        if sys.stderr:
            print(f"audiomnist: {error}", file=sys.stderr)
        sys.exit(getattr(error, "status", 1))  # StageError has one
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)

"""The command `audiomnist score`."""

from enum import StrEnum
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from audiomnist.cli.places import place
from audiomnist.core.processes import available_cores
from audiomnist.storage.url import Place, Url

if TYPE_CHECKING:
    from audiomnist.scoring.cluster.engine import Cluster
    from audiomnist.scoring.inbox.selection import Selection

_IN_REPOSITORY = Path("models/selected")


class Engine(StrEnum):
    """What runs the workers."""

    LOCAL = "local"
    RAY = "ray"


def served_model() -> Path:
    """Return the folder of the default model, which is in the wheel or in the checkout of an editable install."""
    package = Path(str(files("audiomnist")))
    packaged = package / "served_model"
    return packaged if packaged.is_dir() else package.parents[1] / _IN_REPOSITORY


def score(
    inbox: Annotated[
        Any,
        typer.Argument(
            parser=place,
            metavar="INBOX",
            help="Folder of WAV and FLAC files, or its s3://, gs:// or az:// URL; its sub-folders are searched too.",
        ),
    ],
    into: Annotated[
        Any,
        typer.Option(
            "--into",
            parser=place,
            metavar="TABLE",
            help="Folder or URL of the table; created if it does not exist.",
        ),
    ],
    model: Annotated[
        Any,
        typer.Option(
            parser=place, metavar="MODEL", help="Folder of a model bundle, or its URL; by default the served model."
        ),
    ] = None,
    rev: Annotated[
        str | None,
        typer.Option(help=f"Use the bundle, by default {_IN_REPOSITORY}, of this git revision."),
    ] = None,
    csv: Annotated[
        Path | None, typer.Option("--csv", readable=False, help="Write the rows of this run to this file as well.")
    ] = None,
    min_confidence: Annotated[float, typer.Option(min=0, max=1, help="Withhold labels with a lower confidence.")] = 0.0,
    max_rejected_fraction: Annotated[
        float, typer.Option(min=0, max=1, help="Exit with status 3 if a larger share of the new files is rejected.")
    ] = 1.0,
    batch_size: Annotated[
        int,
        typer.Option(min=1, help="Rows per commit; a crash costs at most this much work, and the files in progress."),
    ] = 4096,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Scoring processes; by default one per core, of all nodes of a cluster.")
    ] = None,
    engine: Annotated[
        Engine, typer.Option(help="What runs the workers: this program, or Ray, on this machine or on a cluster.")
    ] = Engine.LOCAL,
    address: Annotated[
        str | None,
        typer.Option(
            metavar="auto|HOST:PORT",
            help="The Ray cluster, of which this machine must be a node; by default a Ray that starts and ends with "
            "the run.",
        ),
    ] = None,
    include: Annotated[
        list[str] | None, typer.Option(help="Only files that match this pattern of .gitignore files; repeatable.")
    ] = None,
    exclude: Annotated[
        list[str] | None, typer.Option(help="No files and folders that match this pattern; repeatable.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=0, help="Take at most this many new files.")] = None,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count new files; nothing is written.")] = False,
    rescore: Annotated[bool, typer.Option("--rescore", help="Score files that only other models have scored.")] = False,
    reread: Annotated[
        bool, typer.Option("--reread", help="Read every file, even if its size and time are in the table.")
    ] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for another run that holds the lock.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing but errors.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the run's summary as JSON, to stdout.")] = False,
) -> None:
    """Write one row per new file of a folder to a table, exactly once: a label, or the reason why there is none.

    Status 0: every new file is in the table, deferred to the next run, or remaining because of --limit. 2: the command
    is wrong, or the folder cannot be read. 3: more files were rejected than allowed; the rows are committed. 4: the
    model cannot be used. 5: another run holds the lock of the table. 6: the table, the file of --csv, stdout or stderr
    cannot be written, or the table cannot be read; the message says what was committed. 7: deferred files need
    attention, because of missing permissions or memory, for example; all others have their rows. 8: the Ray cluster
    cannot be used. 130: interrupted; finished rows are committed.
    """
    from audiomnist.scoring import command  # noqa: PLC0415 - keeps --help quick
    from audiomnist.scoring.run import ScoringConfig  # noqa: PLC0415

    if rev is not None and not rev.strip():
        raise typer.BadParameter("it names no revision", param_hint="--rev")
    if rev and isinstance(model, Url):
        raise typer.BadParameter("it is of a folder in this repository, not of an object store", param_hint="--rev")
    if csv is not None:
        _check_target(csv, inbox, into)
    if address is not None and engine != Engine.RAY:
        raise typer.BadParameter("it needs --engine ray", param_hint="--address")
    selection = _selection(include or [], exclude or [])

    def configured(bundle: Path) -> ScoringConfig:
        return ScoringConfig(
            inbox,
            into,
            bundle,
            min_confidence,
            batch_size,
            workers or available_cores(),
            selection,
            limit,
            rescore,
            reread,
            wait,
            _cluster(address, workers) if engine == Engine.RAY else None,
        )

    bundle = model or (_IN_REPOSITORY if rev else served_model())
    raise typer.Exit(
        command.score(
            configured, bundle, rev, csv, max_rejected_fraction, dry_run=dry_run, quiet=quiet, as_json=as_json
        )
    )


def _cluster(address: str | None, workers: int | None) -> "Cluster":
    from audiomnist.scoring.cluster.engine import LOCAL, Cluster  # noqa: PLC0415 - keeps --help quick

    return Cluster(address or LOCAL, workers)


def _selection(include: list[str], exclude: list[str]) -> "Selection":
    from audiomnist.scoring.inbox.selection import PatternError, Selection  # noqa: PLC0415 - keeps --help quick

    try:
        return Selection(include, exclude)
    except PatternError as error:
        raise typer.BadParameter(str(error), param_hint="--include or --exclude") from error


def _check_target(csv: Path, *places: Place) -> None:
    if csv.suffix != ".csv":
        raise typer.BadParameter(f"{csv} must end with .csv", param_hint="--csv")
    for folder in (folder for folder in places if isinstance(folder, Path)):
        if csv.resolve().is_relative_to(folder.resolve()):
            raise typer.BadParameter(f"{csv} lies in {folder}: name another place", param_hint="--csv")

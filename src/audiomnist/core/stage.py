"""Command-line entry point of a stage script: options from the function's signature, errors as plain messages."""

import inspect
import os
import sys
from collections.abc import Callable
from typing import Annotated

import typer

from audiomnist.core.errors import AudiomnistError
from audiomnist.core.processes import die_with_parent


def run(stage: Callable[..., None]) -> None:
    """Run a stage from the command line: each parameter of the function is an option of its name.

    An AudiomnistError ends the process with its message and status 1. The death of the parent (`dvc`) ends it too, even
    before this call: dvc.yaml passes the parent's id in AUDIOMNIST_PARENT.
    """
    die_with_parent(int(os.environ.get("AUDIOMNIST_PARENT") or os.getppid()))
    annotations = inspect.signature(stage).parameters.items()
    stage.__annotations__ = {name: Annotated[parameter.annotation, typer.Option()] for name, parameter in annotations}
    app = typer.Typer(pretty_exceptions_enable=False, add_completion=False)
    app.command()(stage)
    try:
        app()
    except AudiomnistError as error:
        sys.exit(f"{stage.__name__}: {error}")

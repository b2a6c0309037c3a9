"""`dvc repro` with a line for each stage instead of DVC's messages."""

import logging
import os
import re
import sys
import time
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from pathlib import Path

from dvc.exceptions import DvcException
from dvc.repo import Repo
from rich.console import Console

from audiomnist.core.errors import AudiomnistError


class StageError(AudiomnistError):
    """A stage failed with the exit status `status`, or DVC itself, with 1."""

    def __init__(self, message: str, status: int = 1) -> None:
        super().__init__(message)
        self.status = status


def reproduce(pipeline: Path, console: Console, *, verbose: bool = False) -> None:
    """Run the changed stages of a pipeline and of those that it depends on; print a line and the time of each.

    The output of the stages goes to stdout and stderr of this process.

    Args:
        pipeline: path of the dvc.yaml.
        console: for the lines.
        verbose: whether to print DVC's messages, too.

    Raises:
        StageError: a stage failed, or DVC did.
    """
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    try:
        with chdir(pipeline.parent), Repo() as repo:
            stages = repo.stage.collect(pipeline.name, with_deps=True)
            lines = _StageLines(console, {_name(stage.addressing): stage.desc or "" for stage in stages})
            with _logged_to(lines, verbose=verbose):
                repo.reproduce(pipeline.name)
            lines.finish()
    except (DvcException, OSError) as error:
        raise _failure(error) from error


@contextmanager
def _logged_to(lines: logging.Handler, *, verbose: bool) -> Iterator[None]:
    """Send DVC's messages to a handler, and to its own handlers only if they are warnings or `verbose` is set."""
    dvc = logging.getLogger("dvc")
    handlers, level = dvc.handlers, dvc.level
    dvc.handlers = [lines, *(handler for handler in handlers if verbose or handler.level >= logging.WARNING)]
    dvc.setLevel(logging.INFO)
    try:
        yield
    finally:
        dvc.handlers = handlers
        dvc.setLevel(level)


def _failure(error: Exception) -> StageError:
    text = str(error) if error.__cause__ is None else f"{error}: {error.__cause__}"
    failed = re.search(r"failed to reproduce '(.+?)'.*, exited with (-?\d+)$", text, re.DOTALL)
    if failed is None:
        return StageError(f"DVC: {text}")
    status = int(failed[2])
    status = 128 - status if status < 0 else status
    return StageError(f"stage {_name(failed[1])} failed with exit status {status}, see its output above", status)


def _name(address: str) -> str:
    """Return a stage's name without the path of its dvc.yaml."""
    return address.rpartition(":")[2]


class _StageLines(logging.Handler):
    """Prints lines about the stages, from DVC's log messages.

    Args:
        console: for the lines.
        descriptions: description of each stage of the pipeline, by its name.
    """

    _SKIPPED = re.compile(r"(?:Stage )?'(.+)' didn't change, skipping$")
    _STARTED = re.compile(r"Running stage '(.+)':$|Stage '(.+)' is cached - skipping run")

    def __init__(self, console: Console, descriptions: dict[str, str]) -> None:
        super().__init__()
        self._console = console
        self._descriptions = descriptions
        self._ran: list[str] = []
        self._unchanged: list[str] = []
        self._start = time.monotonic()
        self._stage_start: float | None = None

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if skipped := self._SKIPPED.match(message):
            self._end_stage()
            self._unchanged.append(_name(skipped[1]))
        elif started := self._STARTED.match(message):
            self._end_stage()
            self._start_stage(_name(started[1] or started[2]), cached=started[1] is None)

    def finish(self) -> None:
        """Print the numbers of stages and the time of the whole run."""
        self._end_stage()
        if self._unchanged:
            self._print(f"{_counted(self._unchanged)} unchanged: {', '.join(self._unchanged)}")
        self._print(f"{_counted(self._ran)} run in {_duration(self._start)}")

    def _start_stage(self, stage: str, *, cached: bool) -> None:
        self._ran.append(stage)
        total = len(self._descriptions)
        width = max(map(len, self._descriptions))
        number = f"{len(self._ran) + len(self._unchanged):{len(str(total))}}"
        description = "restore from DVC's cache" if cached else self._descriptions.get(stage, "")
        self._print(f"stage {number} of {total}  {stage:{width}}  {description}".rstrip(), "bold")
        self._stage_start = time.monotonic()

    def _end_stage(self) -> None:
        if self._stage_start is not None:
            self._print(f"  {_duration(self._stage_start)}", "dim")
        self._stage_start = None

    def _print(self, text: str, style: str = "") -> None:
        in_log = not self._console.is_terminal  # a log has no width
        self._console.print(text, style=style, markup=False, highlight=False, soft_wrap=in_log)


def _counted(stages: list[str]) -> str:
    return f"{len(stages)} stage{'' if len(stages) == 1 else 's'}"


def _duration(start: float) -> str:
    minutes, seconds = divmod(round(time.monotonic() - start), 60)
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"

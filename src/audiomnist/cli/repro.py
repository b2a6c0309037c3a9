"""`dvc repro` with a line for each stage instead of DVC's messages."""

import logging
import os
import re
import sys
import time
from contextlib import chdir
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


def reproduce(pipeline: Path, *, verbose: bool = False) -> None:
    """Run the changed stages of a dvc.yaml and of those that it depends on; print a line and the time of each.

    The output of the stages goes to stdout and stderr of this process; `verbose` prints DVC's messages, too.

    Raises:
        StageError: a stage failed, or DVC did.
    """
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    dvc = logging.getLogger("dvc")
    handlers, level = dvc.handlers, dvc.level
    try:
        with chdir(pipeline.parent), Repo() as repo:
            stages = repo.stage.collect(pipeline.name, with_deps=True)
            lines = _StageLines({_name(stage.addressing): stage.desc or "" for stage in stages})
            dvc.handlers = [lines, *(handler for handler in handlers if verbose or handler.level >= logging.WARNING)]
            dvc.setLevel(logging.INFO)
            repo.reproduce(pipeline.name)
            lines.finish()
    except (DvcException, OSError) as error:
        raise _failure(error) from error
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
    """Prints lines about the stages, from DVC's log messages; `descriptions` has the stages of the pipeline by name."""

    _SKIPPED = re.compile(r"(?:Stage )?'(.+)' didn't change, skipping$")
    _RUNNING = re.compile(r"Running stage '(.+)':$")
    _CACHED = re.compile(r"Stage '(.+)' is cached - skipping run")

    def __init__(self, descriptions: dict[str, str]) -> None:
        super().__init__()
        self._console = Console()
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
        elif running := self._RUNNING.match(message):
            self._start_stage(_name(running[1]))
        elif cached := self._CACHED.match(message):
            self._start_stage(_name(cached[1]), "restore from DVC's cache")

    def finish(self) -> None:
        """Print the numbers of stages and the time of the whole run."""
        self._end_stage()
        if self._unchanged:
            self._print(f"{_counted(self._unchanged)} unchanged: {', '.join(self._unchanged)}")
        self._print(f"{_counted(self._ran)} run in {_duration(self._start)}")

    def _start_stage(self, stage: str, description: str = "") -> None:
        self._end_stage()
        self._ran.append(stage)
        total = len(self._descriptions)
        width = max(map(len, self._descriptions))
        number = f"{len(self._ran) + len(self._unchanged):{len(str(total))}}"
        self._print(f"stage {number} of {total}  {stage:{width}}  {description or self._descriptions[stage]}", "bold")
        self._stage_start = time.monotonic()

    def _end_stage(self) -> None:
        if self._stage_start is not None:
            self._print(f"  {_duration(self._stage_start)}", "dim")
        self._stage_start = None

    def _print(self, text: str, style: str = "") -> None:
        soft_wrap = not self._console.is_terminal  # a log has no width
        self._console.print(text, style=style, markup=False, highlight=False, soft_wrap=soft_wrap)


def _counted(stages: list[str]) -> str:
    return f"{len(stages)} stage{'' if len(stages) == 1 else 's'}"


def _duration(start: float) -> str:
    minutes, seconds = divmod(round(time.monotonic() - start), 60)
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"

"""`dvc repro`, with a line for each stage in place of DVC's messages."""

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

PURPOSES = {
    "check": "check all parameters",
    "ingest": "fetch or synthesize the recordings",
    "validate": "validate the data",
    "split": "split into train and test",
    "featurize": "compute MFCCs, copies included",
    "transcribe": "recognize the speech",
    "train": "train the network",
    "export": "optimize the graph for serving",
    "evaluate": "evaluate on the test set",
    "compare": "compare the three models",
    "select": "select the model to serve",
    "cross-validate": "train and evaluate every split",
    "linear": "fit the linear baseline",
    "robustness": "evaluate on corrupted recordings",
    "random": "summarize the random splits",
    "official": "summarize the official split",
    "unseen": "summarize the unseen speakers",
    "learning-curve": "summarize the learning curve",
}


class StageError(AudiomnistError):
    """A stage failed with the exit status `status`; or DVC itself, with 1."""

    def __init__(self, message: str, status: int = 1) -> None:
        super().__init__(message)
        self.status = status


def reproduce(pipeline: Path, console: Console, *, verbose: bool = False) -> None:
    """Run what changed in a dvc.yaml and what it depends on; print a line for each stage that runs, and its time.

    What the stages print goes to stdout and stderr of this process.

    Args:
        pipeline: The dvc.yaml.
        console: Where the lines go.
        verbose: Print DVC's messages, too.

    Raises:
        StageError: The pipeline did not run to its end.
    """
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    try:
        with chdir(pipeline.parent), Repo() as repo:
            stages = repo.stage.collect(pipeline.name, with_deps=True)
            with _stage_lines(console, [_name(stage.addressing) for stage in stages], verbose=verbose):
                repo.reproduce(pipeline.name)
    except (DvcException, OSError) as error:
        raise _failure(error) from error


@contextmanager
def _stage_lines(console: Console, stages: list[str], *, verbose: bool) -> Iterator[None]:
    """Print lines about stages, before DVC's messages or in place of them; its warnings are always printed."""
    lines = _StageLines(console, stages)
    dvc = logging.getLogger("dvc")
    handlers, level = dvc.handlers, dvc.level
    dvc.handlers = [lines, *(handler for handler in handlers if verbose or handler.level >= logging.WARNING)]
    dvc.setLevel(logging.INFO)
    try:
        yield
        lines.finish()
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
    """Prints lines about the stages from what DVC logs."""

    _SKIPPED = re.compile(r"(?:Stage )?'(.+)' didn't change, skipping$")
    _STARTED = re.compile(r"Running stage '(.+)':$|Stage '(.+)' is cached - skipping run")

    def __init__(self, console: Console, stages: list[str]) -> None:
        super().__init__()
        self._console = console
        self._total, self._width = len(stages), max(map(len, stages), default=0)
        self._ran: list[str] = []
        self._unchanged: list[str] = []
        self._began = time.monotonic()
        self._stage_began: float | None = None

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if skipped := self._SKIPPED.match(message):
            self._end_stage()
            self._unchanged.append(_name(skipped[1]))
        elif started := self._STARTED.match(message):
            self._end_stage()
            self._start_stage(_name(started[1] or started[2]), cached=started[1] is None)

    def finish(self) -> None:
        """Print what is known at the end."""
        self._end_stage()
        if self._unchanged:
            self._print(f"{_counted(self._unchanged)} unchanged: {', '.join(self._unchanged)}")
        self._print(f"{_counted(self._ran)} run in {_duration(self._began)}")

    def _start_stage(self, stage: str, *, cached: bool) -> None:
        self._ran.append(stage)
        number = f"{len(self._ran) + len(self._unchanged):{len(str(self._total))}}"
        purpose = "restore from DVC's cache" if cached else PURPOSES.get(stage.partition("@")[0], "")
        self._print(f"stage {number} of {self._total}  {stage:{self._width}}  {purpose}".rstrip(), "bold")
        self._stage_began = time.monotonic()

    def _end_stage(self) -> None:
        if self._stage_began is not None:
            self._print(f"  {_duration(self._stage_began)}", "dim")
        self._stage_began = None

    def _print(self, text: str, style: str = "") -> None:
        in_log = not self._console.is_terminal  # where lines have no width
        self._console.print(text, style=style, markup=False, highlight=False, soft_wrap=in_log)


def _counted(stages: list[str]) -> str:
    return f"{len(stages)} stage{'' if len(stages) == 1 else 's'}"


def _duration(began: float) -> str:
    minutes, seconds = divmod(round(time.monotonic() - began), 60)
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"

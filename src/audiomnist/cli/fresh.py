"""Whether the lock files are the result of the code, the parameters and the files in a checkout, without its data."""

from collections.abc import Iterator, Sequence
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path, PurePath

from dvc.dependency import ParamsDependency
from dvc.dvcfile import LOCK_FILE
from dvc.exceptions import DvcException
from dvc.output import Output
from dvc.repo import Repo
from dvc.stage import PipelineStage
from dvc_data.hashfile.hash_info import HashInfo
from dvc_data.hashfile.tree import Tree

from audiomnist.core.errors import AudiomnistError

_NEVER_RUN = "has no entry of this stage"
_SOURCE = {"deleted": "is missing", "modified": "has changed since the stage ran", "new": "was no dependency then"}
_OUTPUT = {"deleted": "is missing", "modified": "is not what the stage wrote", "new": "was no output then"}
_PARAMETER = {
    "deleted": "is missing",
    "modified": "has another value than the stage ran with",
    "new": "was not read then",
}
_OTHER_INPUT = "is not what {producers} last wrote"


class PipelineError(AudiomnistError):
    """A folder has no pipeline, or its files cannot be read."""


@dataclass(frozen=True)
class Stale:
    """Why a stage's entry in a lock file is not the result of the checkout.

    Attributes:
        stage: the stage, as `dvc repro` takes it.
        path: the file or folder concerned, relative to the checkout; of a parameter with its name after a colon.
        reason: what is wrong with it.
        remedy: what to do.
    """

    stage: str
    path: str
    reason: str
    remedy: str


def stale_entries(checkout: Path) -> tuple[int, list[Stale]]:
    """Compare every dvc.lock with dvc.yaml, params.yaml and the files that git has; return the number of stages, too.

    Outputs in DVC's cache need not be there: what a stage read of them is compared with what the lock file says that
    another stage wrote.

    Raises:
        PipelineError: `checkout` has no pipeline, or one of its files cannot be read.
    """
    if not (checkout / "dvc.yaml").is_file():
        raise PipelineError(f"{checkout} is not a checkout of this repository: it has no dvc.yaml")
    try:
        with chdir(checkout), Repo(config={"core": {"no_scm": True}}) as repo:
            stages = [stage for stage in repo.index.stages if isinstance(stage, PipelineStage)]
            outs = list(repo.index.outs)
            found = [stale for stage in stages for stale in _of_stage(stage, outs)]
            return len(stages), [*found, *_left_over(stages)]
    except (DvcException, OSError) as error:
        reason = str(error) if error.__cause__ is None else f"{error}: {error.__cause__}"
        raise PipelineError(f"the pipeline of {checkout} cannot be read: {' '.join(reason.split())}") from error


def _of_stage(stage: PipelineStage, outs: Sequence[Output]) -> Iterator[Stale]:
    problems = _problems(stage, outs) if _is_locked(stage) else [(_lock_file(stage), _NEVER_RUN)]
    for path, reason in problems:
        yield Stale(stage.addressing, path, reason, f"dvc repro {stage.addressing}")


def _is_locked(stage: PipelineStage) -> bool:
    return any(entry.hash_info for entry in (*stage.deps, *stage.outs))


def _problems(stage: PipelineStage, outs: Sequence[Output]) -> Iterator[tuple[str, str]]:
    if stage.cmd_changed:
        yield stage.path_in_repo, "has another command than the stage ran"
    for dep in stage.deps:
        producers = [out for out in outs if f"{out.fs_path}/".startswith(f"{dep.fs_path}/")]
        if isinstance(dep, ParamsDependency):
            yield from _parameters(dep)
        elif any(out.use_cache for out in producers):
            if not _was_written(dep.hash_info, dep.fs_path, producers):
                names = ", ".join(out.stage.addressing for out in producers)
                yield _path(dep), _OTHER_INPUT.format(producers=names)
        else:
            yield from _file(dep, _SOURCE)
    for out in stage.outs:
        if not out.use_cache:
            yield from _file(out, _OUTPUT)


def _parameters(dep: ParamsDependency) -> Iterator[tuple[str, str]]:
    """Yield the parameters that differ; DVC names the file alone if the whole of it is absent."""
    for path, status in dep.workspace_status().items():
        each = status.items() if isinstance(status, dict) else [("", status)]
        yield from ((f"{path}:{name}".rstrip(":"), _PARAMETER[state]) for name, state in each)


def _file(entry: Output, reasons: dict[str, str]) -> Iterator[tuple[str, str]]:
    if not entry.hash_info:
        yield _path(entry), reasons["new"]
    else:
        yield from ((_path(entry), reasons[state]) for state in entry.workspace_status().values())


def _was_written(content: HashInfo, path: str, producers: Sequence[Output]) -> bool:
    """Return whether this is what the lock files say that stages wrote to the path, or to files in that folder."""
    if producers[0].fs_path == path:
        return bool(content == producers[0].hash_info)
    folder = Tree()  # type: ignore[no-untyped-call]
    for out in producers:
        folder.add(PurePath(out.fs_path).relative_to(path).parts, None, out.hash_info)
    folder.digest()
    return bool(content == folder.hash_info)


def _left_over(stages: Sequence[PipelineStage]) -> Iterator[Stale]:
    """Yield the entries of stages that dvc.yaml does not have any more; `dvc repro` leaves them."""
    names = {stage.addressing for stage in stages}
    for pipeline in {stage.path_in_repo: stage for stage in stages}.values():
        prefix = pipeline.addressing.removesuffix(pipeline.name)
        reason = f"has an entry of a stage that {pipeline.path_in_repo} does not have"
        for name in pipeline.dvcfile.lockfile_contents.get("stages", {}):
            if f"{prefix}{name}" not in names:
                yield Stale(f"{prefix}{name}", _lock_file(pipeline), reason, "delete it from the file")


def _lock_file(stage: PipelineStage) -> str:
    return str(PurePath(stage.path_in_repo).with_name(LOCK_FILE))


def _path(entry: Output) -> str:
    return str(PurePath(entry.fs_path).relative_to(entry.repo.root_dir))

"""A checkout of this repository in another folder, and the commands that are typed in it."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from audiomnist.corpus import manifest

ROOT = Path(__file__).parents[2]
SMALL: dict[str, Any] = {
    "data": {"source": "synthetic", "synthetic": {"takes": 3}},
    "split": {"test_fraction": 0.25, "validation_fraction": 0.34},
    "features": {"augment": {"copies_per_clip": 1}},
    "synthetic_speakers": {"count": 3},
    "transcribe": {"augment": {"copies_per_clip": 1}},
    "train": {"epochs": 2, "calibration_folds": 2},
    "models": {
        "cnn": {"channels": [4, 8], "residual_blocks": [0, 1]},
        "rnn": {"channels": [4], "residual_blocks": [0], "hidden_sizes": [8]},
        "lstm": {"hidden_sizes": [8]},
    },
    "protocols": {"random": {"seeds": [0, 1]}},
}
NETWORKS = ("cnn", "rnn", "lstm", "whisper")
ALL_STAGES = {
    *("check", "ingest", "split", "featurize", "transcribe", "logprobs", "compare", "select"),
    *("cascade", "evaluate-cascade"),
    *(f"validate@{kind}" for kind in ("recordings", "features", "transcripts", "logprobs")),
    *(f"{stage}@{model}" for stage in ("train", "export", "evaluate") for model in NETWORKS),
}
_LEFT_OUT = ("dvc.lock", "stages/protocols/", "stages/page/", "reports/", "models/", "tests/", "docs/", "data/reviewed")
ENVIRONMENT = {
    **{key: value for key, value in os.environ.items() if not key.startswith(("DVC_", "GIT_", "AUDIOMNIST_"))},
    "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    "DVC_NO_ANALYTICS": "true",
    "HOME": os.environ.get("HOME", "/"),
}


@dataclass(frozen=True)
class Checkout:
    """A git repository with DVC, and the commands that are typed in it."""

    folder: Path

    def run(self, *command: str, status: int = 0) -> str:
        """Run a command on one core; return what it printed, having checked its exit status."""
        ended = subprocess.run(
            command,
            cwd=self.folder,
            env=ENVIRONMENT,
            check=False,
            capture_output=True,
            text=True,
            timeout=500,
            preexec_fn=partial(os.sched_setaffinity, 0, _one_core()),
        )
        printed = ended.stdout + ended.stderr
        assert (ended.returncode == 0) == (status == 0), printed
        return printed

    def stages_run(self, *command: str) -> set[str]:
        """Run a dvc command; return the names of the stages that it ran."""
        return set(re.findall(r"Running stage '([^']+)'", self.run("dvc", *command)))

    def git_status(self) -> set[str]:
        """Return the paths that git sees as changed or new."""
        return {line[3:] for line in self.run("git", "status", "--porcelain", "-uall").splitlines()}

    def commit(self, message: str) -> None:
        """Commit everything that git does not ignore."""
        self.run("git", "add", "--all")
        self.run("git", "-c", "user.name=test", "-c", "user.email=test@example.org", "commit", "-qm", message)

    def clone(self, folder: Path, *targets: str) -> "Checkout":
        """Return a clone that shares this one's DVC cache, with the data of all stages, or of targets, checked out."""
        self.run("git", "clone", "-q", str(self.folder), str(folder))
        copy = Checkout(folder)
        copy.run("dvc", "config", "--local", "cache.dir", str(self.folder / ".dvc" / "cache"))
        copy.run("git", "config", "user.name", "test")
        copy.run("git", "config", "user.email", "test@example.org")
        copy.run("dvc", "checkout", "-q", *targets)
        return copy


def _one_core() -> set[int]:
    """Return a core for this process of pytest: on a small corpus more processes only take longer to start."""
    cores = sorted(os.sched_getaffinity(0))
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0")
    return {cores[int(worker.removeprefix("gw")) % len(cores)]}


def copy_of_this_repository(folder: Path) -> Checkout:
    """Commit this repository's files in a new git repository with small parameters.

    Results, protocols and reviewed recordings are left out.
    """
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listing, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0")
    for name in filter(None, names):
        if (ROOT / name).is_file() and not name.startswith(_LEFT_OUT):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / name)
    manifest.write(folder / "data" / "reviewed.csv", [])
    alter(folder / "params.yaml", SMALL)
    checkout = Checkout(folder)
    checkout.run("git", "init", "-q", "-b", "main")
    checkout.commit("small parameters")
    return checkout


def alter(parameters: Path, changes: dict[str, Any]) -> None:
    """Write changes into a params.yaml."""
    yaml = YAML()
    content = yaml.load(parameters.read_text(encoding="utf-8"))
    _update(content, changes)
    yaml.dump(content, parameters)


def _update(target: Any, changes: dict[str, Any]) -> None:
    for key, value in changes.items():
        if isinstance(value, dict):
            _update(target[key], value)
        else:
            target[key] = value

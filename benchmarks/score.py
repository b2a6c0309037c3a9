"""Scoring a folder with the command that users type, beside three peers on the same cores."""

import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from audiomnist.serving.bundle import description as bundle
from audiomnist.serving.bundle.description import Description, WaveformInput
from benchmarks import commands, figures, networks, teams
from benchmarks.commands import BenchmarkError
from benchmarks.figures import Measure, Round
from benchmarks.material import SELECTED, Setting

RNN = Path("models/served/rnn")

FILES, RNN_FILES, _FEW_FILES = 40_000, 16_000, 300
_PEERS_FILES, _PEERS_FEW_FILES = 1_000, 12
_HEARD = 64
# Of two measured times, the least difference that is taken for more than nothing, in seconds.
_RESOLUTION_S = 1e-3

_RATIOS = {
    "ratio_to_notebook": ("files_per_s", "notebook_files_per_s"),
    "ratio_to_dataloader": ("files_per_s", "dataloader_files_per_s"),
    "ratio_to_batched_torch": ("files_per_s", "batched_torch_files_per_s"),
    "ratio_to_one_core": ("files_per_s", "one_core_files_per_s"),
}


def measure(setting: Setting, model: Path = SELECTED, files: int = FILES) -> dict[str, Any]:
    """Return files per second and start-up times, and ratios to the peers.

    Files per second are those of the whole command without its start-up: of many files but one, in the time that they
    take more than a single file takes.

    Args:
        setting: what all measurements share.
        model: the folder of the bundle, of a model over sound, in the checkout.
        files: how many.
    """
    files = setting.size(files, _FEW_FILES)
    description, version = _described(setting.checkout / model)
    paths = sorted(setting.inbox(files).rglob("*.wav"))[: setting.size(_PEERS_FILES, _PEERS_FEW_FILES)]
    peer = networks.untrained(description.model, setting.parameters, setting.recordings[:_HEARD])
    with teams.at_work(peer, paths, setting.cores) as others:
        ours = _ours(setting, model, files)
        rounds = figures.interleaved([*ours, *others], setting.repetitions, f"score: {model}", setting.console)
    return {
        "model": description.model,
        "model_version": version,
        "threads": setting.cores,
        "files": files,
        "peers_files": len(paths),
        "peers_parameters": sum(weights.numel() for weights in peer.network.parameters()),
        "peers_network_is_served": networks.is_served(description, setting.parameters),
        **figures.told([_derived(found, files) for found in rounds]),
    }


def _described(folder: Path) -> tuple[Description, str]:
    description, version = bundle.describe(folder)
    if not isinstance(description.input, WaveformInput):
        raise BenchmarkError(f"{folder} holds a model over transcripts, which has no peers: dvc repro with model: cnn")
    return description, version


def seconds(setting: Setting, model: Path, files: int, core: int | None = None) -> float:
    """Return the wall time of scoring an inbox into a new table, on one core alone if it is named."""
    with tempfile.TemporaryDirectory(dir=setting.work) as folder:
        return commands.run(command(setting, model, files, Path(folder) / "table", core), setting.checkout).seconds


def command(setting: Setting, model: Path, files: int, table: Path, core: int | None = None) -> list[str]:
    """Return the command that scores an inbox of so many files."""
    order = ("score", setting.inbox(files), "--into", table, "--model", model, "--json")
    return commands.python("-m", "audiomnist", *order, core=core)


def _ours(setting: Setting, model: Path, files: int) -> list[Measure]:
    one_core = commands.first_core()
    return [
        partial(_timed, "seconds", setting, model, files),
        partial(_timed, "first_label_s", setting, model, 1),
        partial(_timed, "empty_inbox_s", setting, model, 0),
        partial(_timed, "one_core_seconds", setting, model, files, one_core),
        partial(_timed, "one_core_first_label_s", setting, model, 1, one_core),
    ]


def _timed(name: str, setting: Setting, model: Path, files: int, core: int | None = None) -> Round:
    return {name: seconds(setting, model, files, core)}


def _derived(found: Round, files: int) -> Round:
    """Return a round with rates and ratios."""
    rates = {
        "files_per_s": rate(files, found["seconds"], found["first_label_s"]),
        "one_core_files_per_s": rate(files, found["one_core_seconds"], found["one_core_first_label_s"]),
    }
    return figures.with_ratios(rates | found, _RATIOS)


def rate(files: int, seconds: float, seconds_of_one: float) -> float:
    """Return files per second without start-up."""
    return (files - 1) / max(seconds - seconds_of_one, _RESOLUTION_S)

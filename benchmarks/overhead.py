"""What is paid before any work is done: by DVC where nothing has changed, and by imports."""

from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import commands, figures
from benchmarks.figures import Round
from benchmarks.material import Setting

_COMMANDS: dict[str, tuple[str, ...]] = {
    "help_s": ("-m", "audiomnist", "--help"),
    "import_cli_s": ("-c", "import audiomnist.cli.main"),
    "import_torch_s": ("-c", "import torch"),
    "import_librosa_s": ("-c", "import librosa; librosa.load, librosa.feature.mfcc"),
    "python_s": ("-c", "pass"),
}
_STATUS = ("-m", "dvc", "status")
_REPRO = ("-m", "dvc", "repro")


def measure(setting: Setting) -> dict[str, Any]:
    """Return seconds of each command; `dvc_repro_s` only where the pipeline is up to date, so that nothing is run."""
    wanted = {**_COMMANDS, "dvc_status_s": _STATUS}
    is_up_to_date = _is_up_to_date(setting.checkout)
    if is_up_to_date:
        wanted["dvc_repro_s"] = _REPRO
    measures = [partial(_timed, name, arguments, setting.checkout) for name, arguments in wanted.items()]
    rounds = figures.interleaved(measures, setting.repetitions, "overhead", setting.console)
    return {"pipeline_is_up_to_date": is_up_to_date, **figures.told(rounds)}


def _is_up_to_date(checkout: Path) -> bool:
    return commands.run(commands.python(*_STATUS, "--json", "dvc.yaml"), checkout).output.strip() == "{}"


def _timed(name: str, arguments: tuple[str, ...], checkout: Path) -> Round:
    return {name: commands.run(commands.python(*arguments), checkout).seconds}

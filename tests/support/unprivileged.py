"""The command `audiomnist` of a user who is not root, and whom permissions therefore stop.

What it needs is loaded before root's rights are given up: it may lie where that user may not look. Workers are
therefore forked, and load nothing.
"""

import multiprocessing
import os
import pkgutil
from importlib import import_module

from typer.testing import CliRunner

from audiomnist import scoring
from audiomnist.cli import main as cli
from audiomnist.serving.bundle import code_version

NOBODY = 65534


def load() -> None:
    """Load what the program and its libraries would load only when they need it."""
    for module in pkgutil.walk_packages(scoring.__path__, f"{scoring.__name__}."):
        import_module(module.name)
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import_module("onnxruntime")
    import_module("pyarrow.compute")
    import_module("multiprocessing.popen_fork")
    result = CliRunner().invoke(cli.app, ["score", "--help"])
    assert result.exit_code == 0, result.output


def main() -> None:
    """Run the command."""
    load()
    revision = code_version.revision()
    code_version.revision = lambda: revision
    forked = multiprocessing.get_context("fork")
    multiprocessing.get_context = lambda _: forked  # type: ignore[assignment]
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    cli.main()


if __name__ == "__main__":
    main()

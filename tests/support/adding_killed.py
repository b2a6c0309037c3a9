"""The command `audiomnist corpus add`, killed at a chosen call of a chosen step, as `fault_injection` has them.

python adding_killed.py STEP MOMENT CALL corpus add ...
"""

import shutil
import sys
from typing import Any

from dvc.repo import Repo
from fault_injection import killed

from audiomnist.cli import main as cli
from audiomnist.corpus import manifest

# The second manifest to be written is that of the reviewed recordings; the first one is for the gate.
STEPS: dict[str, tuple[Any, str]] = {
    "copy": (shutil, "copyfile"),
    "version": (Repo, "add"),
    "listing": (manifest, "write"),
}


def main(step: str, moment: str, at: str, *arguments: str) -> None:
    """Run the command."""
    place, name = STEPS[step]
    setattr(place, name, killed(getattr(place, name), moment, int(at), 2000))
    sys.argv = ["audiomnist", *arguments]
    cli.main()


if __name__ == "__main__":
    main(*sys.argv[1:])

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

# The function of each step, and a size in bytes that the file which it writes exceeds. The second manifest that is
# written is that of the reviewed recordings; the first one is for the gate.
STEPS: dict[str, tuple[Any, str, int]] = {
    "copy": (shutil, "copyfile", 2000),
    "version": (Repo, "add", 0),
    "listing": (manifest, "write", 100),
}


def main(step: str, moment: str, at: str, *arguments: str) -> None:
    """Run the command."""
    place, name, half_bytes = STEPS[step]
    setattr(place, name, killed(getattr(place, name), moment, int(at), half_bytes))
    sys.argv = ["audiomnist", *arguments]
    cli.main()


if __name__ == "__main__":
    main(*sys.argv[1:])

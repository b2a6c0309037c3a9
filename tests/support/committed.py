"""The checkout as git has it: in the index, which is the last commit and what was added since.

Tests of committed results read these files. A user who runs the pipeline on another machine gets results of
that machine, which differ in their last digits, into the same places.
"""

import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

_CHECKOUT = Path(__file__).parents[2]
_COPY = TemporaryDirectory(prefix="audiomnist-in-git-")

ROOT = Path(_COPY.name)
subprocess.run(["git", "checkout-index", "--all", f"--prefix={ROOT}/"], cwd=_CHECKOUT, check=True)

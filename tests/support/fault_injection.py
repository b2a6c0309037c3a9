"""The command `audiomnist`, killed or let down at a chosen call of a chosen step.

    python fault_injection.py STEP MOMENT CALL score INBOX ...

It is killed `before` or `after` that call of the step; or `within` it, by the kernel, when the step has written half of
a file; or the disk is `full` from that call on.
"""

import os
import resource
import signal
import sys
from collections.abc import Callable
from errno import ENOSPC
from functools import wraps
from itertools import count
from typing import Any

import pyarrow.csv
from base_install import remove_pandas
from deltalake import DeltaTable
from deltalake.table import TableAlterer

from audiomnist.cli import main as cli
from audiomnist.scoring.table import delta_files
from audiomnist.scoring.table.table import Table

# The function of each step; and a size in bytes that the file which it writes exceeds.
STEPS: dict[str, tuple[Any, str, int]] = {
    "creation": (DeltaTable, "create", 500),
    "rows": (delta_files, "write_rows", 2000),
    "entry": (DeltaTable, "create_write_transaction", 300),
    "sync": (delta_files, "sync_commit", 0),
    "columns": (TableAlterer, "add_columns", 300),
    "compaction": (Table, "_merge", 2000),
    "output": (pyarrow.csv, "CSVWriter", 0),
}


def killed(function: Callable[..., Any], moment: str, at: int, half_bytes: int) -> Callable[..., Any]:
    """Return a function that does what another does, but at the call `at`."""
    calls = count(1)

    @wraps(function)
    def called(*arguments: Any, **options: Any) -> Any:
        call = next(calls)
        if moment == "full" and call >= at:
            raise OSError(ENOSPC, os.strerror(ENOSPC))
        if call != at:
            return function(*arguments, **options)
        if moment == "before":
            _die()
        if moment == "within":
            _die_at(half_bytes)
        function(*arguments, **options)
        return _die()

    return called


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _die_at(size_bytes: int) -> None:
    """Have the kernel end this process as soon as a file would become larger than that."""
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, size_bytes))


def main(step: str, moment: str, at: str, *arguments: str) -> None:
    """Run the command, as in the base install."""
    remove_pandas()
    place, name, half_bytes = STEPS[step]
    called = killed(getattr(place, name), moment, int(at), half_bytes)
    setattr(place, name, staticmethod(called) if name == "create" else called)
    sys.argv = ["audiomnist", *arguments]
    cli.main()


if __name__ == "__main__":
    main(*sys.argv[1:])

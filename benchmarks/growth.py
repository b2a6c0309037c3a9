"""What becomes of time, memory and table as the inbox grows, and of a second run that finds nothing new."""

import tempfile
from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

from benchmarks import commands, figures, score
from benchmarks.commands import Outcome
from benchmarks.figures import Round
from benchmarks.material import SELECTED, Setting

_FILES, _FEW_FILES = (1_000, 10_000, 100_000), (20, 40)
_TEN_THOUSAND, _MILLION, _MILLION_FEW_FILES = 10_000, 1_000_000, (20, 60)


def measure(setting: Setting) -> dict[str, Any]:
    """Return `files_<number>` for each size."""
    sizes = _FEW_FILES if setting.is_quick else _FILES
    return _told(setting, _rounds(setting, sizes, setting.repetitions), sizes)


def measure_million(setting: Setting) -> dict[str, Any]:
    """Return the same for a million files, scored once, and ten thousand, scored before it and after it."""
    few, many = _MILLION_FEW_FILES if setting.is_quick else (_TEN_THOUSAND, _MILLION)
    before = _rounds(setting, [few], setting.repetitions)
    [million] = _rounds(setting, [many], 1)
    after = _rounds(setting, [few], setting.repetitions)
    return _told(setting, [million | found for found in (*before, *after)], [few, many])


def _rounds(setting: Setting, sizes: Sequence[int], repetitions: int) -> list[Round]:
    measures = [partial(_first_label, setting), *(partial(_grown, setting, files) for files in sizes)]
    return figures.interleaved(measures, repetitions, f"growth to {sizes[-1]:,} files", setting.console)


def _told(setting: Setting, rounds: Sequence[Round], sizes: Sequence[int]) -> dict[str, Any]:
    return {"threads": setting.cores, **figures.told([_derived(found, sizes) for found in rounds])}


def _first_label(setting: Setting) -> Round:
    return {"first_label_s": score.seconds(setting, SELECTED, 1)}


def _grown(setting: Setting, files: int) -> Round:
    """Score an inbox into a new table, and again into that table."""
    with tempfile.TemporaryDirectory(dir=setting.work) as folder:
        table = Path(folder) / "table"
        command = score.command(setting, SELECTED, files, table)
        first = commands.run(command, setting.checkout, watch=True)
        again = commands.run(command, setting.checkout, watch=True)
        table_mb = sum(path.stat().st_size for path in table.rglob("*") if path.is_file()) / 1e6
    found = (
        _outcome(first)
        | {"table_mb": table_mb}
        | {f"nothing_new.{name}": value for name, value in _outcome(again).items()}
    )
    return {f"files_{files}.{name}": value for name, value in found.items()}


def _outcome(outcome: Outcome) -> Round:
    peaks = outcome.peaks
    return {"seconds": outcome.seconds, "largest_process_mb": peaks.largest_mb, "all_processes_mb": peaks.sum_mb}


def _derived(found: Round, sizes: Sequence[int]) -> Round:
    """Return a round with files per second without start-up, and how each size compares with the one before."""
    rates = {
        f"files_{files}.files_per_s": score.rate(files, found[f"files_{files}.seconds"], found["first_label_s"])
        for files in sizes
    }
    compared: Round = {}
    for less, more in pairwise(sizes):
        place = f"files_{more}.beside_{less}"
        compared[f"{place}.time_per_file"] = rates[f"files_{less}.files_per_s"] / rates[f"files_{more}.files_per_s"]
        names = [f"files_{files}.largest_process_mb" for files in (more, less)]
        compared[f"{place}.more_memory_mb"] = found[names[0]] - found[names[1]]
    return found | rates | compared

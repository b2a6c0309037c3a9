"""Runs of the command with the engine `ray`."""

import sys
from dataclasses import replace
from pathlib import Path

from score_process import Ended, Process, Scorer, members

COMMAND = (sys.executable, "-m", "audiomnist")
IN_CHUNKS_OF_SIXTY = (sys.executable, str(Path(__file__).with_name("chunks_of_sixty.py")))
ENGINE = ("--engine", "ray")
ACTOR, CHILD = b"MapWorker", b"multiprocessing-fork"


def on_ray(scorer: Scorer) -> Scorer:
    """Return a scorer whose program finds Ray, with small chunks."""
    return replace(scorer, launcher=IN_CHUNKS_OF_SIXTY)


def of_kind(process: Process, name: bytes) -> list[int]:
    """Return the processes of a run, and of a Ray that it has started, which have a name in their command line."""
    return [pid for pid in members(process) if name in _command_line(pid)]


def assert_sentence(ended: Ended, status: int, *words: str) -> None:
    """Check that a run ended with one line, in which some words are."""
    assert (ended.status, ended.out) == (status, ""), ended
    assert ended.err.startswith("audiomnist score: ")
    assert ended.err.count("\n") == 1, ended.err
    assert [word for word in words if word not in ended.err] == []


def _command_line(pid: int) -> bytes:
    try:
        return Path("/proc", str(pid), "cmdline").read_bytes()
    except OSError:
        return b""

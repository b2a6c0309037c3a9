"""Atomic writes of files and folders.

Everything is written under a temporary name beside the target, flushed to the disk with fsync, then renamed: a reader,
or a run after a crash, sees the old content or the new, never a part of it. A folder that replaces another is absent
for the instant between two renames. The temporary names that a killed run leaves behind begin with a dot; the next run
that writes the same folder removes them.
"""

import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def replaced_file(target: Path) -> Iterator[Path]:
    """Yield a temporary path to write to; on success it replaces `target`."""
    target.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    os.close(descriptor)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o644)
        sync(temporary)
        temporary.replace(target)
        sync(target.parent)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def replaced_directory(target: Path) -> Iterator[Path]:
    """Yield a temporary folder to fill; on success it replaces `target`. Not for concurrent writers."""
    target.parent.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(target)
    temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    former = temporary.with_name(f"{temporary.name}.former")
    try:
        yield temporary
        temporary.chmod(0o755)
        for path in filter(Path.is_file, temporary.rglob("*")):
            sync(path)
        if target.exists():
            target.rename(former)
        temporary.replace(target)
        sync(target.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        shutil.rmtree(former, ignore_errors=True)


def _remove_leftovers(target: Path) -> None:
    name = re.compile(rf"\.{re.escape(target.name)}\.[a-z0-9_]{{8}}(\.former)?")
    for path in target.parent.iterdir():
        if name.fullmatch(path.name):
            shutil.rmtree(path, ignore_errors=True)


def write_text(target: Path, text: str) -> None:
    """Write UTF-8 text."""
    with replaced_file(target) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(target: Path, value: Any) -> None:
    """Write indented JSON; raises ValueError for NaN and infinities, which JSON cannot represent."""
    write_text(target, json.dumps(value, indent=2, allow_nan=False) + "\n")


def sync(path: Path) -> None:
    """Sync the content of a file, or the names in a folder, to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

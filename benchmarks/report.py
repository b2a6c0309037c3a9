"""The file of figures: a section for each benchmark, kept from run to run where machine and libraries are the same."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from audiomnist.core import atomic


def read(path: Path) -> dict[str, Any]:
    """Return a report; an empty one where there is none."""
    if not path.exists():
        return {}
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def updated(former: Mapping[str, Any], machine: Mapping[str, Any], sections: Mapping[str, Any]) -> dict[str, Any]:
    """Return a report of a machine with new sections, and the other ones of a former report by the same machine."""
    kept = former if former.get("machine") == machine else {}
    return {**kept, "machine": machine, **sections}


def write(path: Path, report: Mapping[str, Any]) -> None:
    """Write a report."""
    atomic.write_json(path, report)

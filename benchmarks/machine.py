"""The machine and the libraries that figures were measured with."""

import os
import platform
import re
import shutil
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

from audiomnist.core.processes import available_cores

_LIBRARIES = (
    "ctranslate2",
    "deltalake",
    "dvc",
    "faster-whisper",
    "librosa",
    "numpy",
    "onnxruntime",
    "pocketsphinx",
    "pyarrow",
    "soundfile",
    "SpeechRecognition",
    "torch",
    "torchaudio",
)
_CPUS = Path("/proc/cpuinfo")


def described() -> dict[str, Any]:
    """Return the CPU's model, the cores that this process may use, memory in GB, and versions."""
    return {
        "cpu": _cpu(),
        "cores": available_cores(),
        "memory_gb": round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9, 1),
        "system": platform.system(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "libraries": {name: version(name) for name in _LIBRARIES},
    }


def code_revision(checkout: Path) -> str | None:
    """Return the commit of a checkout, with `-dirty` after it if files differ; None where git cannot tell."""
    if shutil.which("git") is None:
        return None
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    answer = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=False)
    return answer.stdout.strip() or None if answer.returncode == 0 else None


def _cpu() -> str:
    told = _CPUS.read_text(encoding="utf-8") if _CPUS.is_file() else ""
    named = re.search(r"^model name\s*: (.+)$", told, re.MULTILINE)
    return named[1] if named else platform.processor() or platform.machine()

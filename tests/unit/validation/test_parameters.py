"""The stage `check`: what it imports. What it accepts is tested in tests/unit/core/test_params.py."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
HEAVY = {"torch", "torchaudio", "librosa", "sklearn", "great_expectations", "pandas", "matplotlib", "scipy"}
SCRIPT = """
import runpy, sys
inputs = ["--parameters", "params.yaml", "--manifest", "data/manifest.csv", "--reviewed", "data/reviewed.csv"]
sys.argv = ["check.py", *inputs, "--out", sys.argv[1]]
try:
    runpy.run_path("stages/check.py", run_name="__main__")
except SystemExit as end:
    assert not end.code, end.code
print(*sys.modules)
"""


def test_check_imports_no_slow_library(tmp_path: Path) -> None:
    """It runs before every stage, and takes a second rather than four."""
    out = tmp_path / "valid"
    modules = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(out)], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    assert out.is_file()
    assert set(modules) & HEAVY == set()

"""The graph that is served, made of the one that was trained."""

from pathlib import Path

from audiomnist import stage
from audiomnist.compilation.compiler import compile_bundle


def compile_(model: Path, raw: Path, split: Path, out: Path) -> None:
    """Compile a bundle."""
    compile_bundle(model, raw, split, out)


if __name__ == "__main__":
    stage.run(compile_)

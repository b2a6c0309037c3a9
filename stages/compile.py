"""The graph that is served, made of the one that was trained."""

from pathlib import Path

from audiomnist.core import stage
from audiomnist.export.optimize import compile_bundle


def compile_model(model: Path, raw: Path, split: Path, out: Path) -> None:
    """Compile the graph of a model; one over transcripts is taken as it is."""
    compile_bundle(model, raw, split, out)


if __name__ == "__main__":
    stage.run(compile_model)

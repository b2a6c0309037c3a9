"""Stage `export`: the graph that is served, from a trained network."""

from pathlib import Path

from audiomnist.core import stage
from audiomnist.export.optimize import export_bundle


def export(model: Path, raw: Path, split: Path, out: Path) -> None:
    """Export a model."""
    export_bundle(model, raw, split, out)


if __name__ == "__main__":
    stage.run(export)

"""The raw recordings, identical to the manifest, from upstream, a local source or speech synthesis."""

from pathlib import Path

from audiomnist.core import params, stage
from audiomnist.ingest import build
from audiomnist.ingest.params import DataParams


def ingest(parameters: Path, manifest: Path, raw: Path, recordings: Path, report: Path) -> None:
    """Fill the folder of raw recordings."""
    build.ingest(manifest, params.section(parameters, "data", DataParams), raw, recordings, report)


if __name__ == "__main__":
    stage.run(ingest)

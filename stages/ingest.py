"""The raw recordings, from whichever source there is, equal to the manifest."""

from pathlib import Path

from audiomnist.core import params, stage
from audiomnist.ingest import build as corpus
from audiomnist.ingest.params import DataParams


def ingest(parameters: Path, manifest: Path, raw: Path, recordings: Path, report: Path) -> None:
    """Fill the folder of raw recordings."""
    data = params.section(parameters, "data", DataParams)
    corpus.ingest(manifest, data, raw, recordings, report)


if __name__ == "__main__":
    stage.run(ingest)

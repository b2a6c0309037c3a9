"""The raw recordings, identical to the manifests, from upstream, a local source or speech synthesis."""

from pathlib import Path

from audiomnist.core import params, stage
from audiomnist.ingest import build
from audiomnist.ingest.params import DataParams


def ingest(
    parameters: Path, manifest: Path, reviewed: Path, reviewed_files: Path, raw: Path, recordings: Path, report: Path
) -> None:
    """Fill the folder of raw recordings."""
    data = params.section(parameters, "data", DataParams)
    build.ingest(manifest, data, reviewed, reviewed_files, raw, recordings, report)


if __name__ == "__main__":
    stage.run(ingest)

"""Every mistake in params.yaml at once, before any stage does anything."""

from pathlib import Path

from audiomnist.core import stage
from audiomnist.validation import parameters as pipeline


def check(parameters: Path, manifest: Path, out: Path) -> None:
    """Check the parameters."""
    pipeline.check(parameters, manifest, out)


if __name__ == "__main__":
    stage.run(check)

"""Stage `check`: validate all of params.yaml before any other stage runs."""

from pathlib import Path

from audiomnist.core import stage
from audiomnist.validation import parameters as validation


def check(parameters: Path, manifest: Path, reviewed: Path, out: Path) -> None:
    """Validate all parameters; report every error at once."""
    validation.check(parameters, manifest, reviewed, out)


if __name__ == "__main__":
    stage.run(check)

"""A gate: the data meets its expectations, or the pipeline stops here."""

from pathlib import Path

from audiomnist.core import params, stage
from audiomnist.validation import gate
from audiomnist.validation.bounds import ValidateParams


def validate(kind: str, parameters: Path, recordings: Path, data: Path, corpus: Path, report: Path, docs: Path) -> None:
    """Hold data against the expectations of its kind."""
    bounds = params.section(parameters, "validate", ValidateParams)
    gate.validate(kind, recordings, data, corpus, bounds, report, docs)


if __name__ == "__main__":
    stage.run(validate)

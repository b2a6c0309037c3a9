"""Stage `validate`: a data gate, which stops the pipeline unless the data meets its expectations."""

from pathlib import Path

from audiomnist.core import params, stage
from audiomnist.validation import gate
from audiomnist.validation.bounds import ValidateParams


def validate(
    kind: str, parameters: Path, recordings: Path, reviewed: Path, data: Path, corpus: Path, report: Path, docs: Path
) -> None:
    """Check the data with the expectations of its kind."""
    bounds = params.section(parameters, "validate", ValidateParams)
    gate.validate(kind, recordings, reviewed, data, corpus, bounds, report, docs)


if __name__ == "__main__":
    stage.run(validate)

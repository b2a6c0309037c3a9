"""One network on every split of a protocol."""

from pathlib import Path

from audiomnist.core import stage
from audiomnist.protocols.cross_validate import Sources
from audiomnist.protocols.cross_validate import cross_validate as run_splits


def cross_validate(
    protocol: str,
    model: str,
    parameters: Path,
    recordings: Path,
    raw: Path,
    inputs: Path,
    corpus: Path,
    out: Path,
    calibration_folds: int | None = None,
) -> None:
    """Train and evaluate a network on each split; --calibration-folds overrides train.calibration_folds."""
    run_splits(protocol, model, Sources(parameters, recordings, raw, inputs, corpus), out, calibration_folds)


if __name__ == "__main__":
    stage.run(cross_validate)

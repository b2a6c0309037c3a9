"""The models on speakers of whom they heard nothing."""

from pathlib import Path

from audiomnist import params, stage
from audiomnist.protocols import BootstrapParams
from audiomnist.report import protocols


def unseen(predictions: list[Path], parameters: Path, out: Path, plot: Path, table: Path) -> None:
    """Report on unseen speakers."""
    how = params.section(parameters, "protocols.bootstrap", BootstrapParams)
    protocols.unseen(predictions, how, out, plot, table)


if __name__ == "__main__":
    stage.run(unseen)

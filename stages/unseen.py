"""The models on speakers of whom they heard nothing."""

from pathlib import Path

from audiomnist.core import params, stage
from audiomnist.corpus.protocol_splits import BootstrapParams
from audiomnist.protocols import summarize


def unseen(predictions: list[Path], parameters: Path, out: Path, plot: Path, table: Path) -> None:
    """Report on unseen speakers."""
    how = params.section(parameters, "protocols.bootstrap", BootstrapParams)
    summarize.unseen(predictions, how, out, plot, table)


if __name__ == "__main__":
    stage.run(unseen)

"""The report of a protocol: how the models compare on its splits."""

from pathlib import Path

from audiomnist.core import stage
from audiomnist.protocols.summarize import Report
from audiomnist.protocols.summarize import summarize as write_report


def summarize(
    protocol: str,
    predictions: list[Path],
    parameters: Path,
    out: Path,
    table: Path | None = None,
    plot: Path | None = None,
) -> None:
    """Write the report of a protocol."""
    write_report(protocol, predictions, parameters, Report(out, table, plot))


if __name__ == "__main__":
    stage.run(summarize)

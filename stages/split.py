"""The split of the recordings into training, validation and test set."""

from pathlib import Path

from audiomnist.core import params, stage
from audiomnist.corpus.splits import SplitParams
from audiomnist.reviewed import split as reviewed_split


def split(parameters: Path, recordings: Path, reviewed: Path, out: Path) -> None:
    """Assign the recordings to subsets."""
    reviewed_split.split(recordings, reviewed, params.section(parameters, "split", SplitParams), out)


if __name__ == "__main__":
    stage.run(split)

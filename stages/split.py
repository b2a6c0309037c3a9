"""The split of the recordings into training, validation and test set."""

from pathlib import Path

from audiomnist.core import params, stage
from audiomnist.corpus import splits


def split(parameters: Path, recordings: Path, out: Path) -> None:
    """Assign the recordings to subsets."""
    splits.split(recordings, params.section(parameters, "split", splits.SplitParams), out)


if __name__ == "__main__":
    stage.run(split)

"""Which recordings train, which choose the checkpoint, which test."""

from pathlib import Path

from audiomnist.core import params, stage
from audiomnist.corpus import splits


def split(parameters: Path, recordings: Path, out: Path) -> None:
    """Assign every recording to a part."""
    splits.split(recordings, params.section(parameters, "split", splits.SplitParams), out)


if __name__ == "__main__":
    stage.run(split)

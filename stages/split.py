"""Which recordings train, which choose the checkpoint, which judge."""

from pathlib import Path

from audiomnist import params, splits, stage


def split(parameters: Path, recordings: Path, out: Path) -> None:
    """Assign each recording to a part."""
    splits.split(recordings, params.section(parameters, "split", splits.SplitParams), out)


if __name__ == "__main__":
    stage.run(split)

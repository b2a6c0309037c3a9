"""Which recordings train, which choose the checkpoint, which judge."""

from pathlib import Path

from audiomnist.core import stage
from audiomnist.corpus import splits


def split(
    parameters: Path,
    recordings: Path,
    out: Path,
    scheme: str | None = None,
    seed: int | None = None,
    held_out: str | None = None,
    training_speakers: int | None = None,
) -> None:
    """Assign every recording to a part; what is given here goes before the section `split`."""
    splits.split(recordings, splits.chosen(parameters, scheme, seed, held_out, training_speakers), out)


if __name__ == "__main__":
    stage.run(split)

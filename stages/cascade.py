"""Stage `cascade`: the cnn, and Whisper where the cnn is in doubt."""

from pathlib import Path

from audiomnist.cascade.build import build
from audiomnist.cascade.params import CascadeParams
from audiomnist.core import params, stage


def cascade(parameters: Path, trained: Path, served: Path, out: Path) -> None:
    """Learn when to ask Whisper and how to fuse both, and write the bundle."""
    build(trained, served, params.section(parameters, "models.cascade", CascadeParams), out)


if __name__ == "__main__":
    stage.run(cascade)

"""The command `audiomnist`, with small chunks."""

from audiomnist.cli import main
from audiomnist.scoring import run

FILES = 60


if __name__ == "__main__":
    run._CHUNK_WAVEFORMS = FILES  # noqa: SLF001 - no option sets it
    main.main()

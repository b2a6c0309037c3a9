"""The command `audiomnist` with small chunks, in the install that has Ray."""

from audiomnist.cli import main
from audiomnist.scoring import run

FILES = 60


if __name__ == "__main__":
    run._CHUNK_FILES["waveform"] = FILES  # noqa: SLF001 - no option sets it
    main.main()

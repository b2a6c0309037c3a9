"""The command `audiomnist` as in the base install, with small chunks."""

from base_install import remove_pandas

from audiomnist.cli import main
from audiomnist.scoring import run

FILES = 60


if __name__ == "__main__":
    remove_pandas()
    run._CHUNK_FILES["waveform"] = FILES  # noqa: SLF001 - no option sets it
    main.main()

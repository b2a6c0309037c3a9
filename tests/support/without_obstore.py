"""The command `audiomnist` where the client of object stores is not installed."""

import sys
from importlib.abc import MetaPathFinder

from audiomnist.cli import main


class NoObstore(MetaPathFinder):
    """Finds no obstore, and leaves all else to the others."""

    def find_spec(self, name: str, *_: object) -> None:
        """Return None, but raise ModuleNotFoundError for obstore."""
        if name.partition(".")[0] == "obstore":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


if __name__ == "__main__":
    sys.meta_path.insert(0, NoObstore())
    main.main()

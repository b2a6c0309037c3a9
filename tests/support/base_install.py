"""The command `audiomnist` as in the base install, which has no pandas for PyArrow to import."""

import sys
from importlib.abc import MetaPathFinder


class NoPandas(MetaPathFinder):
    """Finds no pandas, and leaves all else to the others."""

    def find_spec(self, name: str, *_: object) -> None:
        """Return None, but raise ModuleNotFoundError for pandas."""
        if name == "pandas":
            raise ModuleNotFoundError("the base install has no pandas", name=name)


def remove_pandas() -> None:
    """Let this process find no pandas, which takes half a second to import."""
    sys.meta_path.insert(0, NoPandas())


if __name__ == "__main__":
    from audiomnist.cli import main

    remove_pandas()
    main.main()

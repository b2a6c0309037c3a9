"""PyArrow without pandas, which a run has no use for."""

import sys
from importlib.abc import MetaPathFinder

import pyarrow as pa


def do_without_pandas() -> None:
    """Keep PyArrow from importing pandas by itself, wherever it is installed: up to half a second and 30 MB.

    It looks for pandas when it makes its first array, and must find nothing then. What is asked to convert to pandas
    later on looks again, and finds it.
    """
    nowhere = _WithoutPandas()
    sys.meta_path.insert(0, nowhere)
    try:
        pa.array([])
    finally:
        sys.meta_path.remove(nowhere)


class _WithoutPandas(MetaPathFinder):
    """Finds that there is no pandas."""

    def find_spec(self, fullname: str, *_: object) -> None:
        if fullname == "pandas":
            raise ModuleNotFoundError(fullname)

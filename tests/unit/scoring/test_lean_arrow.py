"""PyArrow does without pandas until it is asked for it."""

import subprocess
import sys

ASKED = """
import sys
from audiomnist.scoring.workers.lean_arrow import do_without_pandas
do_without_pandas()
import pyarrow as pa
table = pa.table({"digit": [1, 2]})
print("pandas" in sys.modules, type(table.to_pandas()).__name__, "pandas" in sys.modules)
"""


def test_pandas_is_there_for_whoever_asks_for_it_and_for_no_one_else() -> None:
    """Arrays and tables come without it; a table is converted to pandas all the same."""
    printed = subprocess.run([sys.executable, "-c", ASKED], capture_output=True, text=True, check=True).stdout
    assert printed.split() == ["False", "DataFrame", "True"]

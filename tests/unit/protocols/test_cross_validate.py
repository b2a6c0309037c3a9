"""Cross-validation of a network: the splits in order, and the cores that each may use."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from audiomnist.corpus.protocol_splits import ProtocolSplit
from audiomnist.protocols import cross_validate
from audiomnist.protocols.predictions import ProtocolError, with_split


@contextmanager
def threads(count: int, _start: Callable[[], None]) -> Iterator[ThreadPoolExecutor]:
    """Yield a pool of threads in place of processes."""
    with ThreadPoolExecutor(count) as executor:
        yield executor


def predictions(*arguments: Any) -> pd.DataFrame:
    """Return the row of a split, with the number of processes that its training may use."""
    *_, processes, split, _ = arguments
    assert isinstance(split, ProtocolSplit)
    return with_split(pd.DataFrame({"digit": [1], "predicted": [1], "processes": [processes]}), split)


def die(*_arguments: Any) -> pd.DataFrame:
    """Fail as a process that was killed."""
    raise BrokenProcessPool


def run(protocol: str, cores: int, training: Callable[..., pd.DataFrame], toy: Path, out: Path) -> pd.DataFrame:
    """Cross-validate with another training; return what is written."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cross_validate, "process_pool", threads)
        patch.setattr(cross_validate, "available_cores", lambda: cores)
        patch.setattr(cross_validate, "_run", training)
        values = json.loads((toy / "params.yaml").read_text(encoding="utf-8"))
        values["split"]["validation_fraction"] = 0.3
        parameters = out.with_name("params.yaml")
        parameters.write_text(json.dumps(values), encoding="utf-8")
        inputs = (parameters, toy / "manifest.csv", toy / "raw", toy / "features", toy / "data.json")
        cross_validate.cross_validate(protocol, "cnn", *inputs, out)
    return pd.read_parquet(out)


@pytest.mark.parametrize(
    ("protocol", "cores", "processes"), [("unseen", 1, 1), ("unseen", 2, 1), ("unseen", 7, 2), ("random", 10, 2)]
)
def test_a_split_uses_the_cores_that_no_other_needs(
    protocol: str, cores: int, processes: int, toy: Path, tmp_path: Path
) -> None:
    """Three speakers and five seeds; the rows are in the order of the splits."""
    table = run(protocol, cores, predictions, toy, tmp_path / "cnn.parquet")
    names = ["ada", "ben", "cyd"] if protocol == "unseen" else [f"seed_{seed}" for seed in range(5)]
    assert table["split"].tolist() == names
    assert (table["processes"] == processes).all()


def test_a_process_that_died_is_reported_with_its_split(toy: Path, tmp_path: Path) -> None:
    """And nothing is written."""
    with pytest.raises(ProtocolError, match=r"a process of unseen cnn (ada|ben|cyd) died, .*run the stage again"):
        run("unseen", 1, die, toy, tmp_path / "cnn.parquet")
    assert not (tmp_path / "cnn.parquet").exists()

"""Cross-validation of a network: the splits in order, and the cores that each may use."""

import json
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import small_bundles

from audiomnist.core.digits import PROBABILITIES
from audiomnist.corpus.protocol_splits import ProtocolSplit
from audiomnist.protocols import cross_validate
from audiomnist.protocols.predictions import ProtocolError, with_split
from audiomnist.serving.bundle import out_of_fold
from audiomnist.serving.bundle.out_of_fold import OutOfFold


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


def predictions_of_a_calibrated_network(*arguments: Any) -> pd.DataFrame:
    """Leave a trained model in the folder, with outputs for three clips; return the row of a split."""
    trained = Path(arguments[-1], "trained")
    shutil.copytree(small_bundles.write("cnn", trained.with_name("small")).with_name("trained"), trained)
    logits = 9 * np.eye(10, dtype=np.float32)[:3]
    outputs = OutOfFold(["a", "b", "c"], np.arange(3), logits, np.array([-1e6, 0, 1e6], dtype=np.float32))
    out_of_fold.write(trained, outputs)
    return predictions(*arguments)


def die(*_arguments: Any) -> pd.DataFrame:
    """Fail as a process that was killed."""
    raise BrokenProcessPool


def run(
    protocol: str,
    cores: int,
    training: Callable[..., pd.DataFrame],
    toy: Path,
    out: Path,
    held_out: Path | None = None,
) -> pd.DataFrame:
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
        cross_validate.cross_validate(protocol, "cnn", *inputs, out, held_out=held_out)
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


def test_the_clips_that_calibrated_the_network_of_each_split_are_written(toy: Path, tmp_path: Path) -> None:
    """With calibrated probabilities: beyond the usual novelty they are less certain."""
    held_out = tmp_path / "held_out" / "cnn.parquet"
    run("unseen", 1, predictions_of_a_calibrated_network, toy, tmp_path / "cnn.parquet", held_out)
    table = pd.read_parquet(held_out)
    assert table["split"].tolist() == [name for name in ("ada", "ben", "cyd") for _ in range(3)]
    assert table["file"].tolist() == ["a", "b", "c"] * 3
    assert table["digit"].tolist() == [0, 1, 2] * 3
    np.testing.assert_allclose(table[PROBABILITIES].sum(axis=1), 1, rtol=1e-5)
    first = table[:3]
    assert first["p0"][0] == pytest.approx(1, abs=1e-6)
    assert first["p2"][2] == pytest.approx(0.1, abs=0.01)
    assert first["ood_score"].is_monotonic_increasing


def test_a_process_that_died_is_reported_with_its_split(toy: Path, tmp_path: Path) -> None:
    """And nothing is written."""
    with pytest.raises(ProtocolError, match=r"a process of unseen cnn (ada|ben|cyd) died, .*run the stage again"):
        run("unseen", 1, die, toy, tmp_path / "cnn.parquet")
    assert not (tmp_path / "cnn.parquet").exists()

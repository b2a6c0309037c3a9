"""The cascade on the splits of a protocol, from simulated predictions of its members."""

import csv
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from audiomnist.cascade.params import CascadeParams
from audiomnist.core.digits import PROBABILITIES
from audiomnist.protocols.cascade import cross_validate
from audiomnist.protocols.predictions import ProtocolError, read
from audiomnist.serving.model import softmax

SPLITS = ("ada", "ben")
CLIPS = 200
PARAMS = CascadeParams(cost_of_asking=0.02)


def predictions(split: str, skill: float, seed: int) -> pd.DataFrame:
    """Return predictions of a model of some skill on a split."""
    draw = np.random.default_rng(seed)
    digits = np.arange(CLIPS) % 10
    logits = draw.normal(size=(CLIPS, 10))
    logits[np.arange(CLIPS), digits] += skill
    table = pd.DataFrame({"split": split, "seed": 0, "speaker": split, "digit": digits, "ood_score": np.float32(0)})
    table["max_train_speakers"] = pd.array([None] * CLIPS, dtype="Int64")
    table["file"] = [f"{number:03}_{split}.wav" for number in range(CLIPS)]
    table["predicted"] = logits.argmax(axis=1)
    table[PROBABILITIES] = softmax(logits.astype(np.float32))
    return table.sample(frac=1, random_state=1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Write the predictions of both members on two splits, those of `ben` by better models."""
    for kind, offset in (("test", 0), ("held_out", 10)):
        (tmp_path / kind).mkdir()
        for number, (model, skill) in enumerate((("cnn", 2.0), ("whisper", 4.0))):
            tables = [
                predictions(split, skill + place, 100 * number + 20 * place + offset)
                for place, split in enumerate(SPLITS)
            ]
            pd.concat(tables).to_parquet(tmp_path / kind / f"{model}.parquet", index=False)
    return tmp_path


def run(folder: Path) -> tuple[pd.DataFrame, dict[str, dict[str, str]]]:
    """Return the predictions of the cascade, and what the table has for each threshold."""
    out, table = folder / "test" / "cascade.parquet", folder / "thresholds.csv"
    cross_validate(folder / "test", folder / "held_out", PARAMS, out, table)
    with table.open(encoding="utf-8", newline="") as file:
        return pd.read_parquet(out), {row["threshold"]: row for row in csv.DictReader(file)}


def test_it_is_predicted_on_the_clips_of_its_members(folder: Path) -> None:
    """In the columns of the networks, which the summaries read, and `asked`."""
    found, _ = run(folder)
    assert found.groupby("split").size().to_dict() == dict.fromkeys(SPLITS, CLIPS)
    np.testing.assert_allclose(found[PROBABILITIES].sum(axis=1), 1, rtol=1e-5)
    assert (found[PROBABILITIES].to_numpy().argmax(axis=1) == found["predicted"]).all()
    both = read([folder / "test"], ["cnn", "cascade"])
    assert both[both["model"] == "cnn"]["asked"].isna().all()
    assert both[both["model"] == "cascade"]["asked"].astype(bool).sum() == found["asked"].sum()


def test_the_more_it_asks_the_more_it_gets_right(folder: Path) -> None:
    """The second model is the better one; the learnt threshold is one of many."""
    _, table = run(folder)
    assert list(table) == ["learnt", "0.8", "0.9", "0.95", "0.98", "always"]
    asked = [float(row["asked"]) for row in list(table.values())[1:]]
    assert asked == sorted(asked)
    assert asked[-1] == 1
    assert all(float(row["worst"]) <= float(row["accuracy"]) for row in table.values())
    alone = pd.read_parquet(folder / "test" / "cnn.parquet")
    assert float(table["learnt"]["accuracy"]) > (alone["predicted"] == alone["digit"]).mean()


def test_each_split_learns_from_its_own_training_speakers(folder: Path) -> None:
    """What is held out of another split does not change it."""
    before, _ = run(folder)
    for model in ("cnn", "whisper"):
        path = folder / "held_out" / f"{model}.parquet"
        table = pd.read_parquet(path)
        table.loc[table["split"] == "ben", "digit"] = (table["digit"] + 1) % 10
        table.to_parquet(path, index=False)
    after, _ = run(folder)
    same = (before[PROBABILITIES] == after[PROBABILITIES]).all(axis=1)
    assert same[before["split"] == "ada"].all()
    assert not same[before["split"] == "ben"].all()


@pytest.mark.parametrize("kind", ["test", "held_out"])
def test_members_with_other_clips_are_refused(folder: Path, kind: str) -> None:
    """The message names the folder."""
    path = folder / kind / "cnn.parquet"
    pd.read_parquet(path).iloc[1:].to_parquet(path, index=False)
    with pytest.raises(ProtocolError, match=rf"cnn and whisper in .*{kind} are not for the same clips"):
        run(folder)


def test_absent_predictions_are_reported(folder: Path) -> None:
    """With the remedy."""
    (folder / "held_out" / "whisper.parquet").unlink()
    with pytest.raises(ProtocolError, match=r"no predictions can be read from .*dvc repro writes them"):
        run(folder)

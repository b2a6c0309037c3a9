"""The linear baseline: what it sees of a clip, and what it writes."""

import csv
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from audiomnist.core.digits import PROBABILITIES
from audiomnist.corpus import splits
from audiomnist.features.store import INDEX, TENSOR
from audiomnist.models.linear import BaselineError, describe, predict
from audiomnist.models.params.linear import BaselineParams

COEFFICIENTS, FRAMES = 4, 12
PARAMS = BaselineParams(C=1.0, max_iter=500)
SUBSETS = ("test", "validation", "train", "train")
CLIPS = [(f"{digit}_{speaker}_{take}.wav", digit, speaker, take) for digit in range(10) for speaker in ("ada", "bob")
         for take in range(len(SUBSETS))]  # fmt: skip


@pytest.fixture
def split(tmp_path: Path) -> Path:
    """Write a split of eighty clips, of which every fourth is a test clip."""
    return write_split(tmp_path / "split.csv", range(10))


@pytest.fixture
def tensors(tmp_path: Path) -> Path:
    """Write MFCCs in which the digit is the level of each coefficient, and one misleading copy of each clip."""
    rng = np.random.default_rng(0)
    mfcc = np.zeros((2 * len(CLIPS), COEFFICIENTS, FRAMES), dtype=np.float32)
    frames = rng.integers(3, FRAMES + 1, 2 * len(CLIPS))
    for row, (_, digit, _, _) in enumerate(clip for clip in CLIPS for _ in range(2)):
        level = levels(digit if row % 2 == 0 else 9 - digit)
        mfcc[row, :, : frames[row]] = level[:, None] + rng.normal(0, 0.3, (COEFFICIENTS, frames[row]))
    folder = tmp_path / "features"
    folder.mkdir()
    np.save(folder / TENSOR, mfcc)
    files = [clip[0] for clip in CLIPS for _ in range(2)]
    index = pd.DataFrame({"file": files, "copy": np.tile([0, 1], len(CLIPS)), "frames": frames})
    index.to_parquet(folder / INDEX, index=False)
    return folder


def levels(digit: int) -> np.ndarray:
    """Return a level for each coefficient, no two digits alike."""
    return np.random.default_rng(100 + digit).normal(0, 5, COEFFICIENTS)


def write_split(path: Path, train_digits: range) -> Path:
    """Write a split in which only some of the digits stand in the training part."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["file", "digit", "speaker", "subset"])
        for name, digit, speaker, take in CLIPS:
            if SUBSETS[take] != "train" or digit in train_digits:
                writer.writerow([name, digit, speaker, SUBSETS[take]])
    return path


def predicted(tensors: Path, split: Path, params: BaselineParams = PARAMS) -> pd.DataFrame:
    """Return the baseline's predictions on a split."""
    return predict(tensors, splits.read(split), params)


def test_a_clip_is_described_by_hand() -> None:
    """Means, standard deviations, the means of the thirds, and the number of frames."""
    mfcc = np.array([[1, 3, 5, 5, 7, 9], [2, 2, 2, 2, 2, 2]], dtype=np.float32)
    expected = [5, 2, np.sqrt(20 / 3), 0, 2, 2, 5, 2, 8, 2, 6]
    assert describe(mfcc) == pytest.approx(expected)


@pytest.mark.parametrize("frames", range(1, 12))
def test_a_clip_of_any_length_has_three_thirds(frames: int) -> None:
    """None is empty; of three frames or more each is in one third, and the thirds differ by one frame at most."""
    mfcc = np.arange(frames, dtype=np.float32)[None, :]
    described = describe(mfcc)
    assert described.shape == (6,)
    assert np.isfinite(described).all()
    starts, stops = [third * frames // 3 for third in range(3)], [(third + 1) * frames // 3 for third in range(3)]
    if frames >= 3:
        lengths = np.subtract(stops, starts)
        assert lengths.max() - lengths.min() <= 1
        assert described[2:5] @ lengths == pytest.approx(mfcc.sum())


def test_the_padding_of_a_clip_is_not_seen(tensors: Path, split: Path) -> None:
    """What follows a clip's own frames changes nothing."""
    before = predicted(tensors, split)
    mfcc, index = np.load(tensors / TENSOR), pd.read_parquet(tensors / INDEX)
    for row, frames in enumerate(index["frames"]):
        mfcc[row, :, frames:] = 1e6
    np.save(tensors / TENSOR, mfcc)
    pd.testing.assert_frame_equal(predicted(tensors, split), before, check_exact=True)


def test_the_predictions_are_those_of_the_test_part_in_its_order(tensors: Path, split: Path) -> None:
    """With the columns that networks have, but no novelty; the label is the likeliest digit."""
    table = predicted(tensors, split)
    assert list(table) == ["file", "speaker", "digit", "predicted", *PROBABILITIES]
    assert table["file"].tolist() == [clip[0] for clip in CLIPS if clip[3] == 0]
    assert table["speaker"].tolist() == ["ada", "bob"] * 10
    probabilities = table[PROBABILITIES].to_numpy()
    assert probabilities.dtype == np.float32
    assert probabilities.sum(axis=1) == pytest.approx(np.ones(20), abs=1e-5)
    assert (table["predicted"].to_numpy() == probabilities.argmax(axis=1)).all()


def test_it_learns_from_the_unaltered_copies_alone(tensors: Path, split: Path) -> None:
    """Digits differ in the level of a coefficient and are recognized, though the augmented copies mislead."""
    table = predicted(tensors, split)
    assert (table["predicted"] == table["digit"]).all()


def test_the_validation_part_does_not_train_it(tensors: Path, tmp_path: Path) -> None:
    """A digit that is in no training clip has no probability."""
    table = predicted(tensors, write_split(tmp_path / "split.csv", range(3, 10)))
    assert not table[PROBABILITIES[:3]].to_numpy().any()
    assert set(table["predicted"]) == set(range(3, 10))


def test_twice_the_same_gives_the_same_predictions(tensors: Path, split: Path) -> None:
    """To the last bit."""
    pd.testing.assert_frame_equal(predicted(tensors, split), predicted(tensors, split), check_exact=True)


@pytest.mark.filterwarnings("ignore:lbfgs failed to converge")
def test_a_regression_that_does_not_converge_is_no_result(tensors: Path, split: Path) -> None:
    """The error names the parameters that help; nothing is written."""
    with pytest.raises(BaselineError, match=r"in 2 steps: raise models\.linear\.max_iter"):
        predicted(tensors, split, BaselineParams(C=1.0, max_iter=2))


def test_a_clip_without_features_is_reported(tensors: Path, split: Path) -> None:
    """As is how many there are; an augmented copy is no substitute."""
    index = pd.read_parquet(tensors / INDEX)
    index.loc[index["file"] == "3_bob_2.wav", "copy"] = 1
    index.to_parquet(tensors / INDEX, index=False)
    with pytest.raises(BaselineError, match=r"no features of 3_bob_2\.wav \(1 absent\): dvc repro"):
        predicted(tensors, split)


@pytest.mark.parametrize("name", [TENSOR, INDEX])
@pytest.mark.parametrize("content", [None, b"", b"something else"])
def test_features_that_cannot_be_read_are_reported(
    name: str, content: bytes | None, tensors: Path, split: Path
) -> None:
    """Absent, empty or of another kind."""
    (tensors / name).unlink()
    if content is not None:
        (tensors / name).write_bytes(content)
    with pytest.raises(BaselineError, match=r"no features can be read from .*dvc repro makes them"):
        predicted(tensors, split)

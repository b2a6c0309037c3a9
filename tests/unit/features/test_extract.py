"""The stage that computes the tensors: their content, and what it depends on."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from numpy.typing import NDArray

from audiomnist.audio import waveform
from audiomnist.core import params
from audiomnist.corpus import manifest
from audiomnist.features.dataset import FeatureExamples
from audiomnist.features.extract import featurize
from audiomnist.features.front_end import FrontEndParams
from audiomnist.features.params import FeatureParams
from audiomnist.features.store import INDEX, SETTINGS, TENSOR

COMMITTED = Path(__file__).parents[3] / "params.yaml"
# By the second of duration: one shorter than a window, one longer than max_duration_s.
DURATIONS_S = (0.02, 0.1, 0.35, 0.6, 1.4)


def feature_params(copies: int) -> FeatureParams:
    """Return the committed section with another number of copies."""
    committed = params.section(COMMITTED, "features", FeatureParams)
    return committed.model_copy(update={"augment": committed.augment.model_copy(update={"copies_per_clip": copies})})


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """Write five recordings of unequal length."""
    folder = tmp_path / "raw"
    folder.mkdir()
    for digit, duration_s in enumerate(DURATIONS_S):
        time_s = np.arange(round(8000 * duration_s)) / 8000
        noise = np.random.default_rng(digit).normal(0, 0.05, len(time_s))
        samples = 0.5 * np.sin(2 * np.pi * (300 + 100 * digit) * time_s) + noise
        soundfile.write(folder / f"{digit}_ada_0.wav", samples, 8000, subtype="PCM_16")
    return folder


def computed(raw: Path, out: Path, copies: int = 2, digits: str = "01234") -> tuple[NDArray[np.float32], pd.DataFrame]:
    """Compute the tensor of some recordings; return it with its index."""
    rows = [row for row in manifest.describe_folder(raw).recordings if str(row.digit) in digits]
    out.parent.mkdir(exist_ok=True)
    manifest.write(out.with_suffix(".csv"), rows)
    featurize(out.with_suffix(".csv"), raw, feature_params(copies), out)
    return np.load(out / TENSOR, allow_pickle=False), pd.read_parquet(out / INDEX)


def test_the_tensor_has_a_row_for_each_copy_of_each_recording(raw: Path, tmp_path: Path) -> None:
    """It is float32 `(rows, coefficients, frames)`; its index names files, copies and frames in its order."""
    tensor, index = computed(raw, tmp_path / "out")
    assert tensor.dtype == np.float32
    assert tensor.shape == (15, 40, index["frames"].max())
    assert list(zip(index["file"], index["copy"], strict=True)) == [
        (f"{digit}_ada_0.wav", copy) for digit in range(5) for copy in range(3)
    ]
    assert np.isfinite(tensor).all()
    assert index["frames"].between(1, 98).all()


def test_frames_of_clean_rows_are_the_windows_that_fit(raw: Path, tmp_path: Path) -> None:
    """A clip shorter than a window has one, and what lies beyond the longest duration has none."""
    _, index = computed(raw, tmp_path / "out", copies=0)
    section = feature_params(0)
    lengths = [
        len(waveform.prepare(waveform.read(path), section.sample_rate_hz, section.trim_top_db, section.max_samples))
        for path in sorted(raw.iterdir())
    ]
    assert lengths[0] < section.win_length
    assert lengths[-1] == section.max_samples
    assert index["frames"].tolist() == [max(0, length - 200) // 80 + 1 for length in lengths]


def test_rows_are_zero_after_their_own_frames(raw: Path, tmp_path: Path) -> None:
    """The padding says nothing, and within its frames no row is all zero."""
    tensor, index = computed(raw, tmp_path / "out")
    for row, frames in zip(tensor, index["frames"], strict=True):
        assert not row[:, frames:].any()
        assert row[:, :frames].any(axis=0).all()


def test_without_copies_there_is_one_row_a_recording(raw: Path, tmp_path: Path) -> None:
    """Training then draws the clean clip every time."""
    tensor, index = computed(raw, tmp_path / "out", copies=0)
    assert len(tensor) == 5
    assert set(index["copy"]) == {0}
    examples, files = FeatureExamples(tmp_path / "out"), index["file"].tolist()
    drawn, _ = examples.sample(files, 0.5, np.random.default_rng(0))
    np.testing.assert_array_equal(drawn, examples.get(files)[0])


def test_two_runs_write_the_same_bytes(raw: Path, tmp_path: Path) -> None:
    """Tensor, index and settings: DVC sees no change where there is none."""
    for run in ("one", "two"):
        computed(raw, tmp_path / run)
    for name in (TENSOR, INDEX, SETTINGS):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_a_recordings_rows_do_not_depend_on_the_others(raw: Path, tmp_path: Path) -> None:
    """Alone in a corpus, a recording has the same copies and the same MFCCs, up to float32 sums."""
    tensor, index = computed(raw, tmp_path / "all")
    for digit in "0124":
        alone, own = computed(raw, tmp_path / digit, digits=digit)
        rows = index.index[index["file"] == f"{digit}_ada_0.wav"]
        assert index.loc[rows, "frames"].tolist() == own["frames"].tolist()
        np.testing.assert_allclose(tensor[rows][:, :, : alone.shape[2]], alone, rtol=0, atol=1e-3)


def test_copies_differ_from_the_clip_and_from_each_other(raw: Path, tmp_path: Path) -> None:
    """Otherwise they would add nothing to training."""
    tensor, _ = computed(raw, tmp_path / "out", digits="3")
    clean, first, second = tensor
    assert np.abs(clean - first).max() > 1
    assert np.abs(first - second).max() > 1


def test_more_copies_leave_the_first_ones_as_they_are(raw: Path, tmp_path: Path) -> None:
    """A copy depends on its seed, its number and its recording alone."""
    few, _ = computed(raw, tmp_path / "few", copies=1, digits="2")
    many, _ = computed(raw, tmp_path / "many", copies=3, digits="2")
    frames = min(few.shape[2], many.shape[2])
    np.testing.assert_allclose(few[:, :, :frames], many[:2, :, :frames], rtol=0, atol=1e-3)


def test_the_settings_of_the_front_end_stand_beside_the_tensor(raw: Path, tmp_path: Path) -> None:
    """Training exports the front end that the tensor was computed with."""
    computed(raw, tmp_path / "out", digits="1")
    settings = FrontEndParams.model_validate_json((tmp_path / "out" / SETTINGS).read_text(encoding="utf-8"))
    assert settings == FrontEndParams.model_validate(feature_params(2).model_dump(exclude={"augment"}))


def test_an_unreadable_recording_leaves_no_folder(raw: Path, tmp_path: Path) -> None:
    """The error names the file, and there is no half a tensor."""
    (raw / "2_ada_0.wav").write_bytes(b"not a sound")
    with pytest.raises(waveform.BadAudioError, match=r"2_ada_0\.wav"):
        computed(raw, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert not list(tmp_path.glob(".out*"))

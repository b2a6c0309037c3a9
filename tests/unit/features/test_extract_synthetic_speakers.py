"""Synthetic voices among the tensors: in a separate folder, the same on every run and in every process."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile
from numpy.typing import NDArray

from audiomnist.audio.waveform import BadAudioError
from audiomnist.core import params, processes
from audiomnist.corpus import manifest, splits
from audiomnist.corpus.splits import Clip
from audiomnist.features import extract as featurizing
from audiomnist.features.dataset import FeatureExamples
from audiomnist.features.extract import featurize
from audiomnist.features.front_end import FrontEndParams
from audiomnist.features.params import FeatureParams
from audiomnist.features.store import CLIPS, INDEX, SETTINGS, SPEAKERS, SYNTHETIC, TENSOR
from audiomnist.synthesis.espeak import SynthesisError
from audiomnist.synthesis.speakers import SyntheticSpeakersParams

COMMITTED = Path(__file__).parents[3] / "params.yaml"
FILES = (TENSOR, INDEX, SETTINGS)
VOICE_FILES = (*FILES, CLIPS, SPEAKERS)


def feature_params() -> FeatureParams:
    """Return the committed section with one copy of each recording."""
    committed = params.section(COMMITTED, "features", FeatureParams)
    return committed.model_copy(update={"augment": committed.augment.model_copy(update={"copies_per_clip": 1})})


def some_voices(**changes: Any) -> SyntheticSpeakersParams:
    """Return the committed section with three voices, two copies of each word."""
    committed = params.section(COMMITTED, "synthetic_speakers", SyntheticSpeakersParams)
    return committed.model_copy(update={"count": 3, "copies_per_word": 2, **changes})


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write four recordings, `raw`, and their `manifest.csv`."""
    folder = tmp_path_factory.mktemp("corpus")
    (folder / "raw").mkdir()
    for digit in range(4):
        noise = np.random.default_rng(digit).normal(0, 0.1, 1000 + 500 * digit)
        soundfile.write(folder / "raw" / f"{digit}_ada_0.wav", noise, 8000, subtype="PCM_16")
    manifest.write(folder / "manifest.csv", manifest.describe_folder(folder / "raw").recordings)
    return folder


def computed(corpus: Path, out: Path, voices: SyntheticSpeakersParams | None) -> Path:
    """Compute the tensors; return their folder."""
    featurize(corpus / "manifest.csv", corpus / "raw", feature_params(), out, voices)
    return out


@pytest.fixture(scope="module")
def features(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Compute the tensors with three voices."""
    return computed(corpus, tmp_path_factory.mktemp("out") / "features", some_voices())


def opened(folder: Path) -> tuple[NDArray[np.float32], pd.DataFrame]:
    """Return a tensor and its index."""
    return np.load(folder / TENSOR, allow_pickle=False), pd.read_parquet(folder / INDEX)


def contents(folder: Path) -> dict[str, bytes]:
    """Return each file under a folder, by its relative path."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def pools(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Let work be shared out two recordings, or voices, at a time; return the sizes of pools, as the list grows."""
    sizes: list[int] = []

    @contextmanager
    def counted(size: int, start: Callable[..., None], *arguments: Any) -> Iterator[Executor]:
        sizes.append(size)
        with processes.process_pool(size, start, *arguments) as executor:
            yield executor

    monkeypatch.setattr(featurizing, "_CHUNK_ITEMS", 2)
    monkeypatch.setattr(featurizing, "process_pool", counted)
    return sizes


def test_voices_have_a_tensor_of_their_own_in_the_folder_of_the_recordings(features: Path) -> None:
    """A row for each copy of each word, none for the word as it was synthesized; what is not theirs is elsewhere."""
    tensor, index = opened(features / SYNTHETIC)
    assert list(zip(index["file"], index["copy"], strict=True)) == [
        (f"{digit}_voice{number}", copy) for number in range(3) for digit in range(10) for copy in (1, 2)
    ]
    assert tensor.dtype == np.float32
    assert tensor.shape == (60, 40, index["frames"].max())
    assert np.isfinite(tensor).all()
    for row, frames in zip(tensor, index["frames"], strict=True):
        assert row[:, :frames].any(axis=0).all()
        assert not row[:, frames:].any()
    assert set(opened(features)[1]["file"]) == {f"{digit}_ada_0.wav" for digit in range(4)}
    assert {path.name for path in features.iterdir()} == {*FILES, SYNTHETIC}
    assert {path.name for path in (features / SYNTHETIC).iterdir()} == set(VOICE_FILES)


def test_clips_say_who_speaks_what(features: Path) -> None:
    """Each voice every digit once, in the order of the tensor; all of it is to train with."""
    clips = splits.read(features / SYNTHETIC / CLIPS)
    assert clips == [
        Clip(f"{digit}_voice{number}", digit, f"voice{number}", "train") for number in range(3) for digit in range(10)
    ]
    assert [clip.file for clip in clips] == list(dict.fromkeys(opened(features / SYNTHETIC)[1]["file"]))


def test_the_folder_says_what_the_voices_are(features: Path) -> None:
    """Who synthesized them, and all that they were drawn by."""
    description = json.loads((features / SYNTHETIC / SPEAKERS).read_text(encoding="utf-8"))
    assert description.pop("synthesizer") == "eSpeak NG"
    assert SyntheticSpeakersParams.model_validate(description) == some_voices()


def test_synthetic_speakers_have_the_same_front_end(features: Path) -> None:
    """Its settings are beside both tensors; both can be trained on."""
    settings = [(folder / SETTINGS).read_bytes() for folder in (features, features / SYNTHETIC)]
    assert settings[0] == settings[1]
    examples = FeatureExamples(features / SYNTHETIC)
    assert examples.front_end == FrontEndParams.model_validate(feature_params().model_dump(exclude={"augment"}))
    drawn = {examples.sample(["7_voice1"], 0.0, np.random.default_rng(seed))[0].tobytes() for seed in range(20)}
    assert len(drawn) == 2


def test_words_of_different_voices_and_copies_of_a_word_differ(features: Path) -> None:
    """Otherwise they would add nothing to training."""
    tensor, _ = opened(features / SYNTHETIC)
    assert len({row.tobytes() for row in tensor}) == len(tensor)


@pytest.mark.parametrize("voices", [None, some_voices(count=0)])
def test_without_voices_there_is_no_such_folder(
    corpus: Path, features: Path, tmp_path: Path, voices: SyntheticSpeakersParams | None
) -> None:
    """And the tensor of the recordings is what it is with them."""
    out = computed(corpus, tmp_path / "out", voices)
    assert {path.name for path in out.iterdir()} == set(FILES)
    assert all((out / name).read_bytes() == (features / name).read_bytes() for name in FILES)


def test_two_runs_write_the_same_bytes(corpus: Path, features: Path, tmp_path: Path) -> None:
    """DVC sees no change where there is none."""
    assert contents(computed(corpus, tmp_path / "again", some_voices())) == contents(features)


@pytest.mark.long
def test_shared_out_to_processes_it_is_the_same_bytes(
    corpus: Path, features: Path, tmp_path: Path, pools: list[int]
) -> None:
    """Recordings and voices, in the order that they have in one process."""
    assert contents(computed(corpus, tmp_path / "shared", some_voices())) == contents(features)
    assert len(pools) == 2
    assert all(1 <= size <= min(2, processes.available_cores()) for size in pools)


def test_little_work_starts_no_process(corpus: Path, tmp_path: Path, pools: list[int]) -> None:
    """A share that fits one process is done in this one."""
    rows = manifest.describe_folder(corpus / "raw").recordings[:2]
    manifest.write(tmp_path / "two.csv", rows)
    featurize(tmp_path / "two.csv", corpus / "raw", feature_params(), tmp_path / "out", some_voices(count=2))
    assert pools == []
    assert opened(tmp_path / "out")[1]["file"].unique().tolist() == ["0_ada_0.wav", "1_ada_0.wav"]


def test_more_voices_leave_the_first_ones_as_they_are(corpus: Path, features: Path, tmp_path: Path) -> None:
    """A voice depends on its number and the seed alone."""
    few, own = opened(computed(corpus, tmp_path / "few", some_voices(count=1, copies_per_word=1)) / SYNTHETIC)
    many, index = opened(features / SYNTHETIC)
    same = many[(index["copy"] == 1) & index["file"].isin(own["file"])]
    assert len(same) == len(few) == 10
    np.testing.assert_allclose(same[:, :, : few.shape[2]], few, rtol=0, atol=1e-3)


def test_another_seed_gives_other_voices(corpus: Path, features: Path, tmp_path: Path) -> None:
    """No row is the same; clips and recordings are."""
    other = computed(corpus, tmp_path / "other", some_voices(seed=1))
    rows = [{row.tobytes() for row in opened(folder / SYNTHETIC)[0]} for folder in (features, other)]
    assert not rows[0] & rows[1]
    assert (other / SYNTHETIC / CLIPS).read_bytes() == (features / SYNTHETIC / CLIPS).read_bytes()
    assert (other / TENSOR).read_bytes() == (features / TENSOR).read_bytes()


@pytest.mark.long
def test_an_unknown_accent_leaves_no_folder(corpus: Path, tmp_path: Path, pools: list[int]) -> None:
    """The error comes out of a process with the name of the voice, though the recordings are done."""
    manifest.write(tmp_path / "two.csv", manifest.describe_folder(corpus / "raw").recordings[:2])
    with pytest.raises(SynthesisError, match=r"eSpeak NG has no voice 'en-nowhere"):
        featurize(
            tmp_path / "two.csv",
            corpus / "raw",
            feature_params(),
            tmp_path / "out",
            some_voices(espeak_languages=("en-nowhere",)),
        )
    assert len(pools) == 1
    assert {path.name for path in tmp_path.iterdir()} == {"two.csv"}


@pytest.mark.long
def test_an_unreadable_recording_is_reported_out_of_a_process(corpus: Path, tmp_path: Path, pools: list[int]) -> None:
    """With its name and reason; there is no half a tensor."""
    rows = manifest.describe_folder(corpus / "raw").recordings
    (tmp_path / "raw").mkdir()
    for row in rows:
        (tmp_path / "raw" / row.file).write_bytes((corpus / "raw" / row.file).read_bytes())
    (tmp_path / "raw" / "3_ada_0.wav").write_bytes(b"not a sound")
    with pytest.raises(BadAudioError, match=r"3_ada_0\.wav") as caught:
        featurize(corpus / "manifest.csv", tmp_path / "raw", feature_params(), tmp_path / "out")
    assert caught.value.reason == "not_audio"
    assert len(pools) == 1
    assert {path.name for path in tmp_path.iterdir()} == {"raw"}

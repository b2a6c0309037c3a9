"""The large corpus in a tiny shape: its layout, its format, and that it depends on the seed alone."""

import hashlib
from pathlib import Path

import pytest
import soundfile

from audiomnist.corpus import manifest
from benchmarks import large_corpus
from benchmarks.rounds import BenchmarkError


def _hashes(folder: Path) -> dict[str, str]:
    paths = folder.rglob("*.wav")
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a corpus of two speakers and two takes, which two processes wrote."""
    folder = tmp_path_factory.mktemp("large") / "corpus"
    large_corpus.write_corpus(folder, speakers=2, takes=2, seed=0, processes=2)
    return folder


def test_it_has_the_layout_of_audiomnist(corpus: Path) -> None:
    """A folder per speaker, and a known name for each file, so that a manifest needs no pattern."""
    found = manifest.describe_folder(corpus)
    expected = {f"{digit}_{speaker}_{take}.wav" for digit in range(10) for speaker in ("01", "02") for take in range(2)}
    assert {row.file for row in found.recordings} == expected
    assert {row.source for row in found.recordings} == {f"{row.speaker}/{row.file}" for row in found.recordings}
    assert found.renumbered == 0


def test_no_two_files_are_equal_and_all_are_short_words_at_48_khz(corpus: Path) -> None:
    """Mono, 16 bits, neither silent nor clipped."""
    assert len(set(_hashes(corpus).values())) == 40
    for path in corpus.rglob("*.wav"):
        info = soundfile.info(path)
        assert (info.samplerate, info.channels, info.subtype) == (48_000, 1, "PCM_16")
        assert 0.1 < info.duration < 2
        samples, _ = soundfile.read(path)
        assert 0.02 < abs(samples).max() < 0.999


def test_a_file_depends_on_its_name_and_the_seed_alone(corpus: Path, tmp_path: Path) -> None:
    """One process and another shape give the same bytes; another seed gives others."""
    large_corpus.write_corpus(tmp_path / "smaller", speakers=1, takes=1, seed=0, processes=1)
    smaller = _hashes(tmp_path / "smaller")
    assert len(smaller) == 10
    assert smaller.items() <= _hashes(corpus).items()
    large_corpus.write_corpus(tmp_path / "other", speakers=1, takes=1, seed=1, processes=1)
    assert not set(_hashes(tmp_path / "other").values()) & set(smaller.values())


def test_a_folder_with_content_is_left_alone(corpus: Path) -> None:
    """The error names it."""
    with pytest.raises(BenchmarkError, match="not empty"):
        large_corpus.write_corpus(corpus, speakers=1, takes=1, seed=0, processes=1)

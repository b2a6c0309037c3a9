"""Whatever happens to a header, the parser gives the sound that lies within the file, or a reason."""

from collections import Counter

import pytest
import wav_mutations
from wav_mutations import CHUNK_HEADER_BYTES, mutated, split, stated_size

from audiomnist.audio import wav
from audiomnist.audio.wav import PcmAudio, WavError

UNKNOWN, PLACEHOLDER = 0xFFFFFFFF, 0x7FFFF000
REASONS = {"empty", "not_audio", "truncated", "inconsistent_header", "unsupported_encoding", "bad_channels", "bad_rate"}


@pytest.fixture(scope="module")
def originals() -> list[bytes]:
    """One small file of each encoding, with an odd number of frames."""
    return wav_mutations.originals(101)


def outcome(content: bytes | memoryview) -> PcmAudio | tuple[str, str]:
    """Return the sound, or reason and sentence; any other error is the test's."""
    try:
        return wav.parse(content)
    except WavError as error:
        return error.reason, error.detail


def size_in_ds64(chunks: list[bytes]) -> int:
    """Return the size of the data by the last ds64 chunk that has one, or 0."""
    whole = [chunk for chunk in chunks if chunk.startswith(b"ds64") and stated_size(chunk) >= 16]
    return int.from_bytes(whole[-1][16:24], "little") if whole else 0


def check_is_the_first_data_chunk(sound: PcmAudio, content: bytes) -> None:
    """Check that the samples are the whole frames of the chunk, or of all that follows if its size is a placeholder."""
    chunks = split(content)
    place = next(place for place, chunk in enumerate(chunks) if chunk.startswith(b"data"))
    before, rest = chunks[:place], b"".join(chunks[place:])[CHUNK_HEADER_BYTES:]
    fmt = next(chunk for chunk in before if chunk.startswith(b"fmt "))
    size, frame_bytes = stated_size(chunks[place]), int.from_bytes(fmt[20:22], "little")
    known = (size == UNKNOWN and size_in_ds64(before)) or size
    is_stream = len(rest) < size == known >= PLACEHOLDER
    assert sound.is_stream == is_stream
    size = len(rest) if is_stream else known
    assert 0 < len(sound.samples) == size // frame_bytes <= len(rest) // frame_bytes
    assert sound.samples.shape[1] == int.from_bytes(fmt[10:12], "little")
    assert sound.sample_rate_hz == int.from_bytes(fmt[12:16], "little")


def check_is_the_same(sound: PcmAudio | tuple[str, str], again: PcmAudio | tuple[str, str]) -> None:
    """Check that two outcomes are alike, NaN included."""
    if isinstance(sound, PcmAudio) and isinstance(again, PcmAudio):
        assert sound.samples.tobytes() == again.samples.tobytes()
        assert sound.samples.shape == again.samples.shape
        assert sound.sample_rate_hz == again.sample_rate_hz
    else:
        assert sound == again


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("count", [5_000, pytest.param(100_000, marks=pytest.mark.long)])
def test_a_mutated_file_is_a_sound_within_its_bytes_or_has_a_reason(originals: list[bytes], count: int) -> None:
    """No other error and no warning; what is beside the file in memory makes no difference."""
    outcomes: Counter[str] = Counter()
    for content in mutated(originals, count, seed=count):
        result = outcome(content)
        check_is_the_same(result, outcome(memoryview(b"data" * 9 + content + b"data" * 9)[36:-36]))
        if isinstance(result, PcmAudio):
            check_is_the_first_data_chunk(result, content)
        outcomes["a sound" if isinstance(result, PcmAudio) else result[0]] += 1
    assert set(outcomes) == {"a sound", *REASONS}
    assert outcomes["a sound"] < count / 2


def test_the_same_seed_gives_the_same_mutations(originals: list[bytes]) -> None:
    """And another seed others."""
    first, again, other = (list(mutated(originals, 50, seed)) for seed in (1, 1, 2))
    assert first == again
    assert first != other

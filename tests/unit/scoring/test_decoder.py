"""Decoding FLAC: exact where the file is good, a reason where it is not."""

import io
import re
import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest
import soundfile

from audiomnist.audio.wav import PcmAudio
from audiomnist.core.errors import FaultError
from audiomnist.scoring.decoding.decoder import decode_flac

MAX_DURATION_S = 60
REASONS = {
    "bad_rate",
    "empty",
    "not_audio",
    "too_long",
    "truncated",
    "undecodable",
    "unsupported_encoding",
}


def noise(seconds: float = 0.5, rate_hz: int = 8000, channels: int = 1) -> np.ndarray:
    """Return seeded noise `(frames, channels)`."""
    return np.random.default_rng(0).uniform(-1, 1, (round(seconds * rate_hz), channels))


def encoded(samples: np.ndarray, rate_hz: int = 8000, subtype: str = "PCM_16", container: str = "FLAC") -> bytes:
    """Return the content of a sound file."""
    file = io.BytesIO()
    soundfile.write(file, samples, rate_hz, subtype=subtype, format=container)
    return file.getvalue()


def with_stream_info(content: bytes, *, rate_hz: int = 8000, bits: int = 16, frames: int = 0) -> bytes:
    """Return a FLAC file of one channel whose header contradicts its samples; no frames: unknown length."""
    return content[:18] + (rate_hz << 44 | (bits - 1) << 36 | frames).to_bytes(8, "big") + content[26:]


def with_padding(content: bytes, size: int) -> bytes:
    """Return a FLAC file with one more metadata block, as taggers leave them for later."""
    return content[:42] + b"\x01" + size.to_bytes(3, "big") + bytes(size) + content[42:]


def with_application_data_alone(content: bytes, size: int) -> bytes:
    """Return a FLAC file that ends with a block that programs keep their own data in."""
    return content[:42] + b"\x82" + size.to_bytes(3, "big") + b"\xff" * size


def assert_decoded(sound: PcmAudio, content: bytes) -> None:
    """Check that the sound is, bit by bit, what libsndfile gives."""
    samples, rate_hz = soundfile.read(io.BytesIO(content), dtype="float32", always_2d=True)
    assert sound.sample_rate_hz == rate_hz
    assert sound.samples.dtype == np.float32
    np.testing.assert_array_equal(sound.samples, samples)


def decoded(content: bytes, max_duration_s: float = MAX_DURATION_S) -> PcmAudio:
    """Decode a file."""
    return decode_flac(content, max_duration_s)


def refusal(content: bytes, max_duration_s: float = MAX_DURATION_S) -> FaultError:
    """Return the error that a file leads to."""
    with pytest.raises(FaultError) as caught:
        decoded(content, max_duration_s)
    return caught.value


@pytest.fixture(scope="module")
def good() -> bytes:
    """Half a second of noise as FLAC."""
    return encoded(noise())


@pytest.mark.parametrize("subtype", ["PCM_S8", "PCM_16", "PCM_24"])
@pytest.mark.parametrize("channels", [1, 2, 8])
@pytest.mark.parametrize("rate_hz", [4000, 8000, 192_000])
def test_flac_is_decoded_exactly(subtype: str, channels: int, rate_hz: int) -> None:
    """Whatever bits, channels and rate are: the samples are those of libsndfile."""
    content = encoded(noise(0.1, rate_hz, channels), rate_hz, subtype)
    sound = decoded(content)
    assert sound.samples.shape == (rate_hz // 10, channels)
    assert_decoded(sound, content)


@pytest.mark.parametrize(
    "dress",
    [
        pytest.param(lambda content: with_stream_info(content, frames=0), id="length left open"),
        pytest.param(lambda content: with_padding(content, 100_000), id="padding"),
        pytest.param(lambda content: b"ID3\x04\0\0\0\0\0\x0a" + bytes(10) + content, id="ID3 tag before"),
        pytest.param(lambda content: content + b"TAG" + bytes(125), id="ID3 tag after"),
    ],
)
def test_what_other_programs_put_around_the_sound_is_no_fault(good: bytes, dress: Callable[[bytes], bytes]) -> None:
    """Tags, padding, and the unknown length of an encoder that wrote to a pipe do not change the sound."""
    np.testing.assert_array_equal(decoded(dress(good)).samples, decoded(good).samples)


@pytest.mark.parametrize("seconds", [0.1, 0.5, 5])
def test_a_file_cut_anywhere_is_truncated(seconds: float) -> None:
    """In the header, in a frame, between two frames, before the last byte: the file has been cut."""
    content = with_padding(encoded(noise(seconds)), 60)
    cuts = {
        *range(4, 160),
        len(content) // 2,
        len(content) - 1,
        *np.random.default_rng(0).integers(160, len(content), 50),
    }
    assert {refusal(content[:cut]).reason for cut in cuts} == {"truncated"}


@pytest.mark.parametrize("cut", [4, 20, 60, 100])
def test_a_file_cut_in_its_header_says_so(good: bytes, cut: int) -> None:
    """Its metadata, with 60 bytes of padding, end later."""
    assert refusal(with_padding(good, 60)[:cut]).detail == "ends within its FLAC header"


def test_a_file_cut_in_a_large_block_of_its_header_is_truncated(good: bytes) -> None:
    """All three bytes of the block's size count."""
    assert refusal(with_application_data_alone(good, 70_000)[:5_000]).reason == "truncated"


def test_a_file_that_ends_with_a_frame_is_truncated_where_more_are_promised() -> None:
    """What is there decodes without any error of the library."""
    content = encoded(noise(5))
    assert_decoded(decoded(content), content)
    error = refusal(with_stream_info(content, frames=5 * 8000 + 1))
    assert error.reason == "truncated"
    assert "before the 40001 frames that its header promises" in error.detail


def test_a_file_of_unknown_length_cut_in_a_frame_is_truncated() -> None:
    """No promise is broken, but a frame is."""
    content = with_stream_info(encoded(noise(5)), frames=0)
    error = refusal(content[: len(content) // 2])
    assert (error.reason, error.detail) == ("truncated", "is cut short or damaged: its sound breaks off")


def test_a_file_damaged_in_the_middle_is_undecodable() -> None:
    """A frame whose checksum is wrong, with others after it, is not what cutting leaves."""
    content = bytearray(encoded(noise(5)))
    content[len(content) // 2] ^= 1
    error = refusal(bytes(content))
    assert error.reason == "undecodable"
    assert re.fullmatch(r"is damaged: libsndfile cannot decode it \(.*[^.]\)", error.detail)


@pytest.mark.parametrize("subtype", ["PCM_S8", "PCM_16", "PCM_24"])
def test_a_damaged_header_is_undecodable(subtype: str) -> None:
    """The file is whole, but the comments in its second block claim to be longer than the block."""
    content = encoded(noise(), subtype=subtype)
    assert refusal(content[:46] + b"\xff" * 4 + content[50:]).reason == "undecodable"


@pytest.mark.parametrize("frames", [2**36 - 1, MAX_DURATION_S * 8000 + 1])
def test_a_claim_beyond_the_longest_duration_is_too_long(good: bytes, frames: int) -> None:
    """The header alone decides: the samples would not fit in memory."""
    error = refusal(with_stream_info(good, frames=frames))
    assert (error.reason, error.detail) == ("too_long", "lasts longer than the 60 s allowed")


def test_a_claim_of_the_longest_duration_is_not_too_long(good: bytes) -> None:
    """It is the sound that falls short of it."""
    assert refusal(with_stream_info(good, frames=MAX_DURATION_S * 8000)).reason == "truncated"


@pytest.mark.parametrize(("frames", "fits"), [(4000, True), (4001, False)])
def test_the_longest_duration_holds_without_a_claim(frames: int, *, fits: bool) -> None:
    """Where the header leaves the length open, no more than that is read."""
    content = with_stream_info(encoded(noise(1)[:frames]), frames=0)
    if fits:
        assert len(decoded(content, 0.5).samples) == frames
    else:
        assert refusal(content, 0.5).reason == "too_long"


def test_a_small_file_of_ten_minutes_takes_no_more_memory_than_the_longest_sound() -> None:
    """Its header leaves the length open; samples beyond the maximum duration are not decoded."""
    content = with_stream_info(encoded(np.zeros(600 * 8000)), frames=0)
    assert len(content) < 100_000
    tracemalloc.start()
    assert refusal(content, 1).reason == "too_long"
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 300_000


@pytest.mark.parametrize("rate_hz", [0, 1, 3999, 192_001, 655_350])
def test_an_absurd_rate_is_named(good: bytes, rate_hz: int) -> None:
    """The error comes before anything is decoded."""
    error = refusal(with_stream_info(good, rate_hz=rate_hz, frames=4000))
    assert error.reason == "bad_rate"
    assert error.detail == f"has a rate of {rate_hz} Hz: 4000 to 192000 Hz are read"


def test_bits_that_libsndfile_does_not_read_are_named(good: bytes) -> None:
    """FLAC of 20 bits is good FLAC; the message gives the remedy."""
    error = refusal(with_stream_info(good, bits=20, frames=4000))
    assert error.reason == "unsupported_encoding"
    assert error.detail == "is FLAC of 20 bits: convert it to FLAC of 16 or 24 bits"


@pytest.mark.parametrize(
    "dress",
    [
        pytest.param(lambda content: content[:4] + b"\x80" + content[5:42], id="no other block, and no sound"),
        pytest.param(
            lambda content: with_application_data_alone(content, 70_000), id="a block of more than 65,535 bytes"
        ),
        pytest.param(lambda content: with_stream_info(content, rate_hz=1, bits=20), id="the lowest rate"),
        pytest.param(lambda content: with_stream_info(content, rate_hz=65_536, bits=20), id="a rate of one high bit"),
    ],
)
def test_bits_are_named_whatever_else_is_in_the_header(good: bytes, dress: Callable[[bytes], bytes]) -> None:
    """The header is whole, and its rate is not 0."""
    assert refusal(dress(with_stream_info(good, bits=20, frames=4000))).reason == "unsupported_encoding"


@pytest.mark.parametrize(
    ("container", "subtype", "name"),
    [
        ("OGG", "VORBIS", "OGG (OGG Container format)"),
        ("MP3", "MPEG_LAYER_III", "MPEG-1/2 Audio"),
        ("AIFF", "PCM_16", "AIFF (Apple/SGI)"),
    ],
)
def test_other_formats_are_named(container: str, subtype: str, name: str) -> None:
    """Libsndfile could read them; a model was never shown what lossy compression leaves."""
    error = refusal(encoded(noise(), subtype=subtype, container=container))
    assert error.reason == "unsupported_encoding"
    assert error.detail == f"is {name}: convert it to WAV or FLAC"


@pytest.mark.parametrize(
    "content",
    [
        b"f",
        b"plain text, and not a sound",
        np.random.default_rng(0).bytes(5000),
        b"OggS" + np.random.default_rng(0).bytes(5000),
        b"\xff\xfb\x90\x00" + np.random.default_rng(0).bytes(5000),
        b"ID3\x04" + bytes(5000),
    ],
)
def test_what_is_no_sound_is_not_audio(content: bytes) -> None:
    """Neither are bytes that only begin like Ogg or MP3."""
    error = refusal(content)
    assert (error.reason, error.detail) == (
        "not_audio",
        "is neither WAV nor FLAC, nor of any other format known here",
    )


def test_a_file_without_bytes_is_empty() -> None:
    """Soundfile writes none for no samples."""
    error = refusal(encoded(noise()[:0]))
    assert (error.reason, error.detail) == ("empty", "holds no bytes")


def test_a_file_without_sound_is_empty(good: bytes) -> None:
    """A header that leaves the length open, and nothing behind it."""
    header = good[: good.index(b"\xff\xf8")]
    error = refusal(with_stream_info(header, frames=0))
    assert (error.reason, error.detail) == ("empty", "holds no samples")


def test_a_sound_of_one_sample_is_decoded() -> None:
    """Whether it is long enough is for others to say."""
    content = encoded(noise()[:1])
    assert_decoded(decoded(content), content)


def mutated(content: bytes, rng: np.random.Generator) -> bytes:
    """Return a FLAC file with up to three faults, half of them in its header."""
    data = bytearray(content)
    for _ in range(rng.integers(1, 4)):
        end = 90 if rng.random() < 0.5 else len(data)
        at = int(rng.integers(min(end, len(data))))
        size = int(rng.integers(1, 9))
        match rng.integers(5):
            case 0:
                data[at] ^= 1 << int(rng.integers(8))
            case 1:
                data[at : at + size] = rng.choice([b"\0", b"\x01", b"\x7f", b"\x80", b"\xff"]) * size
            case 2:
                del data[at : at + size]
            case 3:
                data[at:at] = data[at : at + 40 * size]
            case _:
                del data[max(at, 1) :]
    return bytes(data)


def assert_decoded_or_refused(mutations: int) -> None:
    """Decode mutations of FLAC files; each is a sound within the limits, or refused with a reason."""
    rng = np.random.default_rng(mutations)
    originals = [encoded(noise(seconds, channels=channels)) for seconds in (0.05, 0.5, 2) for channels in (1, 2)]
    outcomes = set()
    for number in range(mutations):
        try:
            sound = decoded(mutated(originals[number % len(originals)], rng))
        except FaultError as error:
            outcomes.add(error.reason)
        else:
            outcomes.add("sound")
            assert 0 < len(sound.samples) <= MAX_DURATION_S * sound.sample_rate_hz
            assert np.abs(sound.samples).max() <= 1
    assert outcomes <= REASONS | {"sound"}
    assert outcomes >= {"sound", "truncated", "undecodable", "not_audio", "bad_rate"}


def test_mutations_are_decoded_or_refused() -> None:
    """None crashes the library or makes it hang."""
    assert_decoded_or_refused(300)


@pytest.mark.long
def test_many_mutations_are_decoded_or_refused() -> None:
    """None of many does."""
    assert_decoded_or_refused(3000)

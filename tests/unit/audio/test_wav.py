"""From the bytes of a WAVE file to its samples, or to the reason why there are none."""

import io
import struct
import tracemalloc

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from audiomnist.audio import wav
from audiomnist.audio.wav import WavError

PCM, FLOAT, A_LAW, MU_LAW = 1, 3, 6, 7
BITS = {"PCM_U8": 8, "PCM_16": 16, "PCM_24": 24, "PCM_32": 32, "FLOAT": 32, "DOUBLE": 64, "ULAW": 8, "ALAW": 8}
TAGS = dict.fromkeys(BITS, PCM) | {"FLOAT": FLOAT, "DOUBLE": FLOAT, "ULAW": MU_LAW, "ALAW": A_LAW}
GUID_TAIL = bytes.fromhex("000000001000800000aa00389b71")
SILENCE = bytes(80)


def chunk(name: bytes, content: bytes, size: int | None = None) -> bytes:
    """Return a chunk, padded to an even number of bytes, that says it has `size`."""
    stated = len(content) if size is None else size
    return name + struct.pack("<I", stated) + content + bytes(len(content) % 2)


def riff(*chunks: bytes, size: int | None = None) -> bytes:
    """Return a WAVE file that says it has `size`."""
    return chunk(b"RIFF", b"WAVE" + b"".join(chunks), size)


def fmt(
    tag: int = PCM, channels: int = 1, rate_hz: int = 8000, bits: int = 16, frame_bytes: int | None = None
) -> bytes:
    """Return a plain fmt chunk whose byte rate is nonsense."""
    frame = channels * bits // 8 if frame_bytes is None else frame_bytes
    return chunk(b"fmt ", struct.pack("<HHIIHH", tag, channels, rate_hz, 77, frame, bits))


def extensible(
    tag: int = PCM, bits: int = 16, valid_bits: int = 0, guid_tail: bytes = GUID_TAIL, channels: int = 1
) -> bytes:
    """Return the fmt chunk of WAVE_FORMAT_EXTENSIBLE."""
    plain = struct.pack("<HHIIHH", 0xFFFE, channels, 8000, 77, channels * bits // 8, bits)
    return chunk(b"fmt ", plain + struct.pack("<HHIH", 22, valid_bits, 0, tag) + guid_tail)


def data(content: bytes = SILENCE, size: int | None = None) -> bytes:
    """Return a data chunk."""
    return chunk(b"data", content, size)


def written(samples: NDArray[np.float64], subtype: str, container: str = "WAV") -> bytes:
    """Return what soundfile writes."""
    file = io.BytesIO()
    soundfile.write(file, samples, 16000, subtype=subtype, format=container)
    return file.getvalue()


def read_by_soundfile(content: bytes) -> NDArray[np.float32]:
    """Return what soundfile reads, float32 `(frames, channels)`."""
    samples: NDArray[np.float32] = soundfile.read(io.BytesIO(content), dtype="float32", always_2d=True)[0]
    return samples


def fault(content: bytes | memoryview) -> WavError:
    """Return the error that bytes give."""
    with pytest.raises(WavError) as caught:
        wav.parse(content)
    return caught.value


@pytest.mark.parametrize("channels", [1, 2, 3, 8])
@pytest.mark.parametrize("container", ["WAV", "WAVEX"])
@pytest.mark.parametrize("subtype", BITS)
def test_what_soundfile_writes_is_read_as_soundfile_reads_it(subtype: str, container: str, channels: int) -> None:
    """Each encoding, plain and extensible: the same float32 values, channels and rate, for an odd number of frames."""
    samples = np.random.default_rng(channels).uniform(-1, 1, (51, channels))
    content = written(samples, subtype, container)
    sound = wav.parse(content)
    assert sound.samples.dtype == np.float32
    assert sound.samples.shape == (51, channels)
    assert sound.sample_rate_hz == 16000
    np.testing.assert_array_equal(sound.samples, read_by_soundfile(content))


def test_each_value_of_16_bits_is_a_fraction_of_32768() -> None:
    """All 65,536 of them, exactly."""
    pcm = np.arange(-32768, 32768).astype("<i2")
    samples = wav.parse(riff(fmt(), data(pcm.tobytes()))).samples[:, 0]
    np.testing.assert_array_equal(samples.astype(np.float64), np.arange(-32768, 32768) / 32768)


@pytest.mark.parametrize("subtype", [subtype for subtype in BITS if subtype not in {"FLOAT", "DOUBLE"}])
def test_any_integers_are_read_as_soundfile_reads_them(subtype: str) -> None:
    """Each byte of the 8-bit encodings, 30,000 random values of the wider ones, the least and the greatest included."""
    more_bytes = BITS[subtype] // 8 - 1
    every_byte = np.arange(256, dtype=np.uint8).tobytes() * 3
    extremes = bytes(more_bytes) + b"\x80" + b"\xff" * more_bytes + b"\x7f"
    drawn = np.random.default_rng(7).bytes(120_000)
    content = riff(fmt(TAGS[subtype], bits=BITS[subtype]), data(every_byte + extremes + drawn))
    np.testing.assert_array_equal(wav.parse(content).samples, read_by_soundfile(content))


@pytest.mark.filterwarnings("error")
def test_floats_are_taken_as_they_are() -> None:
    """NaN, infinities, values beyond full scale: the caller judges them; what float32 cannot hold becomes infinite."""
    given = np.array([0.25, -1.5, 1e9, np.nan, np.inf, -np.inf, 1e300, -1e300, 1e-300])
    expected = np.array([0.25, -1.5, 1e9, np.nan, np.inf, -np.inf, np.inf, -np.inf, 0], dtype=np.float32)
    wide = wav.parse(riff(fmt(FLOAT, bits=64), data(given.astype("<f8").tobytes()))).samples
    narrow = wav.parse(riff(fmt(FLOAT, bits=32), data(expected.astype("<f4").tobytes()))).samples
    np.testing.assert_array_equal(wide[:, 0], expected)
    np.testing.assert_array_equal(narrow[:, 0], expected)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("bits", [32, 64])
def test_signalling_nan_warns_of_nothing(bits: int) -> None:
    """It is NaN like any other."""
    signalling = {32: "0100807f", 64: "010000000000f07f"}[bits]
    assert np.isnan(wav.parse(riff(fmt(FLOAT, bits=bits), data(bytes.fromhex(signalling)))).samples).all()


@pytest.mark.parametrize("valid_bits", [0, 12, 20, 24])
def test_samples_with_fewer_valid_bits_are_left_aligned(valid_bits: int) -> None:
    """The container gives the scale."""
    samples = wav.parse(riff(extensible(bits=24, valid_bits=valid_bits), data(bytes.fromhex("000040 0000c0")))).samples
    np.testing.assert_array_equal(samples, [[0.5], [-0.5]])


def test_channels_are_interleaved() -> None:
    """A row is a frame."""
    pcm = np.array([[1, 2, 3], [4, 5, 6]], dtype="<i2")
    samples = wav.parse(riff(fmt(channels=3), data(pcm.tobytes()))).samples
    np.testing.assert_array_equal(samples * 32768, pcm)


@pytest.mark.parametrize("rate_hz", [4000, 11025, 192_000])
def test_rates_from_4_to_192_khz_are_read(rate_hz: int) -> None:
    """Both ends included."""
    assert wav.parse(riff(fmt(rate_hz=rate_hz), data())).sample_rate_hz == rate_hz


HALF, QUARTER = bytes.fromhex("0040"), bytes.fromhex("0020")


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(riff(chunk(b"JUNK", b"abc"), fmt(), chunk(b"LIST", b"x"), data(HALF)), id="other chunks, padded"),
        pytest.param(riff(fmt(), data(HALF), chunk(b"LIST", b"abc")), id="a chunk after the sound"),
        pytest.param(riff(fmt(), data(HALF)) + b"ID3 and more", id="bytes after the RIFF chunk"),
        pytest.param(riff(fmt(), data(HALF)) + data(QUARTER), id="a data chunk after the RIFF chunk"),
        pytest.param(riff(fmt(), data(HALF), data(QUARTER)), id="two data chunks"),
        pytest.param(riff(fmt(), fmt(A_LAW, bits=8), data(HALF)), id="two fmt chunks"),
        pytest.param(riff(fmt(), data(HALF), fmt(A_LAW, bits=8)), id="a fmt chunk after the sound"),
        pytest.param(riff(fmt(), data(HALF), chunk(b"LIST", b"", size=999)), id="a false size after the data"),
        pytest.param(riff(chunk(b"\0\xff\n\x1b", b""), fmt(), data(HALF)), id="a chunk with an unusual name"),
        pytest.param(riff(*[chunk(b"JUNK", b"")] * 9998, fmt(), data(HALF)), id="as many chunks as are visited"),
    ],
)
def test_the_first_fmt_and_data_chunks_count_whatever_else_is_there(content: bytes) -> None:
    """Other chunks are skipped, and what follows the sound is not looked at."""
    np.testing.assert_array_equal(wav.parse(content).samples, [[0.5]])


@pytest.mark.parametrize("last", [data(b"\x80\xc0\x40"), data(b"\x80\xc0\x40") + chunk(b"LIST", b"abc")])
def test_the_last_pad_byte_may_be_missing(last: bytes) -> None:
    """Whether it is that of the sound or of what follows; the RIFF chunk may count it or not."""
    whole = riff(fmt(bits=8), last)
    cut = whole[:-1]
    uncounted = b"RIFF" + struct.pack("<I", len(cut) - 8) + cut[8:]
    for content in (whole, cut, uncounted):
        np.testing.assert_array_equal(wav.parse(content).samples, [[0], [0.5], [-0.5]])


def test_a_view_is_read_as_bytes_are_and_its_samples_are_the_callers_own() -> None:
    """Wherever it starts in memory, and whatever becomes of that memory."""
    for offset in range(4):
        memory = bytearray(offset) + bytearray(riff(fmt(FLOAT, bits=32), data(struct.pack("<f", 0.5))))
        samples = wav.parse(memoryview(memory)[offset:]).samples
        memory[:] = bytes(len(memory))
        samples += 0.25
        np.testing.assert_array_equal(samples, [[0.75]])


FAULTS = {
    "no bytes": (b"", "empty", "no bytes"),
    "text": (b"hello, world", "not_audio", "begins with 'hell'"),
    "control characters": (b"\x1b[2J\n", "not_audio", "begins with '\\x1b[2J'"),
    "FLAC": (b"fLaC" + SILENCE, "not_audio", "'fLaC'"),
    "AVI": (b"RIFF" + struct.pack("<I", 84) + b"AVI " + SILENCE, "not_audio", "'AVI '"),
    "RIFX": (b"RIFX" + riff(fmt(), data())[4:], "unsupported_encoding", "'RIFX'"),
    "RF64": (b"RF64" + riff(fmt(), data())[4:], "unsupported_encoding", "'RF64', which is not read: convert it"),
    "BW64": (b"BW64" + riff(fmt(), data())[4:], "unsupported_encoding", "'BW64'"),
    "a letter": (b"R", "truncated", "after 1 bytes"),
    "half a header": (b"RIFF\x24\x00\x00\x00WA", "truncated", "after 10 bytes"),
    "nothing in it": (riff(), "not_audio", "no data chunk"),
    "no data": (riff(fmt(), chunk(b"LIST", b"abc")), "not_audio", "no data chunk"),
    "no data, something behind": (riff(fmt()) + b"TAG and whatever", "not_audio", "no data chunk"),
    "no fmt": (riff(chunk(b"LIST", b"abc"), data()), "not_audio", "no fmt chunk"),
    "fmt after data": (riff(data(), fmt()), "not_audio", "no fmt chunk before"),
    "too many chunks": (riff(*[chunk(b"JUNK", b"")] * 9999, fmt(), data()), "not_audio", "first 10000 chunks"),
    "no sound": (riff(fmt(), data(b"")), "empty", "holds no sound"),
    "data cut": (riff(fmt(), data(bytes(8000)))[:164], "truncated", "promises 8000 bytes of sound, the file holds 120"),
    "fmt cut": (riff(fmt(), data())[:30], "truncated", "16 bytes of the 'fmt ' chunk, the file holds 10"),
    "what follows cut": (riff(fmt(), data(), chunk(b"LIST", b"abcd"))[:-2], "truncated", "136 bytes in all"),
    "RIFF too long": (riff(fmt(), data(), size=200), "truncated", "208 bytes in all, the file holds 124"),
    "RIFF one byte too long": (riff(fmt(), data(), size=117), "truncated", "125 bytes in all, the file holds 124"),
    "RIFF too long, no data": (riff(fmt(), size=200), "truncated", "208 bytes in all, the file holds 36"),
    "RIFF size 0": (riff(fmt(), data(), size=0), "inconsistent_header", "'fmt ' chunk ends at byte 36"),
    "RIFF ends in data": (
        riff(fmt(), data(), size=115),
        "inconsistent_header",
        "at byte 124, the RIFF chunk about it at byte",
    ),
    "RIFF ends before data": (riff(fmt(), data(), size=28), "inconsistent_header", "'data' chunk ends at byte 124"),
    "data longer than RIFF": (riff(fmt(), data(size=4000)), "inconsistent_header", "'data' chunk ends at byte 4044"),
    "LIST longer than RIFF": (
        riff(fmt(), chunk(b"LIST", b"", 999), data()),
        "inconsistent_header",
        "'LIST' chunk ends",
    ),
    "as ffmpeg to a pipe": (
        riff(fmt(), data(size=2**32 - 1), size=2**32 - 1),
        "inconsistent_header",
        "written to a pipe",
    ),
    "as sox to a pipe": (riff(fmt(), data(size=0x7FFFF000), size=0x7FFFF024), "inconsistent_header", "convert it once"),
    "data of unknown size": (riff(fmt(), data(size=2**31)), "inconsistent_header", "size 2147483648 is a placeholder"),
    "RIFF of unknown size": (riff(fmt(), data(), size=2**31 - 1), "inconsistent_header", "placeholder"),
    "half a frame": (
        riff(fmt(channels=2), data(bytes(6))),
        "inconsistent_header",
        "6 bytes of sound are no whole number",
    ),
    "frame too small": (riff(fmt(channels=2, frame_bytes=2), data()), "inconsistent_header", "given as 2 bytes"),
    "frame of nothing": (riff(fmt(frame_bytes=0), data()), "inconsistent_header", "given as 0 bytes"),
    "fmt too short": (
        riff(chunk(b"fmt ", bytes(14)), data()),
        "inconsistent_header",
        "has 14 bytes, its format takes 16",
    ),
    "fmt of nothing": (riff(chunk(b"fmt ", b""), data()), "inconsistent_header", "has 0 bytes"),
    "extension missing": (riff(fmt(0xFFFE), data()), "inconsistent_header", "its format takes 40"),
    "more bits valid": (riff(extensible(valid_bits=20), data()), "inconsistent_header", "20 bits are given as valid"),
    "ADPCM": (riff(fmt(0x11, bits=4), data()), "unsupported_encoding", "0x0011 (IMA ADPCM) with 4 bits, which is not"),
    "an unknown tag": (riff(fmt(0xABC), data()), "unsupported_encoding", "0x0ABC (unknown) with 16 bits"),
    "PCM of 12 bits": (riff(fmt(bits=12, frame_bytes=2), data()), "unsupported_encoding", "(PCM) with 12 bits"),
    "PCM of no bits": (riff(fmt(bits=0), data()), "unsupported_encoding", "(PCM) with 0 bits"),
    "float of 16 bits": (riff(fmt(FLOAT), data()), "unsupported_encoding", "(IEEE float) with 16 bits"),
    "extensible ADPCM": (riff(extensible(2, 4), data()), "unsupported_encoding", "(Microsoft ADPCM) with 4 bits"),
    "another GUID": (riff(extensible(guid_tail=bytes(14)), data()), "unsupported_encoding", "extensible encoding 0100"),
    "no channels": (riff(fmt(channels=0), data()), "bad_channels", "has 0 channels"),
    "nine channels": (riff(fmt(channels=9), data(bytes(180))), "bad_channels", "has 9 channels: 1 to 8 are read"),
    "no rate": (riff(fmt(rate_hz=0), data()), "bad_rate", "has a rate of 0 Hz"),
    "too slow": (riff(fmt(rate_hz=3999), data()), "bad_rate", "3999 Hz: 4000 to 192000 Hz are read"),
    "too quick": (riff(fmt(rate_hz=192_001), data()), "bad_rate", "192001 Hz"),
}


@pytest.mark.parametrize(("content", "reason", "part"), FAULTS.values(), ids=FAULTS)
def test_a_fault_has_its_reason_and_a_sentence(content: bytes, reason: str, part: str) -> None:
    """The sentence is printable ASCII, as the error's text is."""
    error = fault(content)
    assert error.reason == reason
    assert part in error.detail
    assert str(error) == error.detail
    assert error.detail.isascii()
    assert error.detail.isprintable()


FIRST_THINGS_FIRST = {
    "a placeholder before a cut": (riff(fmt(), data(size=2**32 - 1))[:-20], "inconsistent_header"),
    "a false size before a cut": (riff(fmt(), data(size=999))[:-20], "inconsistent_header"),
    "a cut before the encoding": (riff(fmt(0x55), data())[:-20], "truncated"),
    "a cut before a missing fmt": (riff(data())[:-20], "truncated"),
    "a cut before no sound": (riff(fmt(), data(b""), chunk(b"LIST", b"abcd"))[:-4], "truncated"),
    "no sound before the encoding": (riff(fmt(0x55), data(b"")), "empty"),
    "no sound before a missing fmt": (riff(data(b"")), "empty"),
    "the encoding before channels": (riff(fmt(0x55, channels=0), data()), "unsupported_encoding"),
    "channels before the rate": (riff(fmt(channels=0, rate_hz=0), data()), "bad_channels"),
    "the rate before the frame": (riff(fmt(rate_hz=0, frame_bytes=7), data()), "bad_rate"),
}


@pytest.mark.parametrize(("content", "reason"), FIRST_THINGS_FIRST.values(), ids=FIRST_THINGS_FIRST)
def test_of_two_faults_the_one_to_mend_first_is_named(content: bytes, reason: str) -> None:
    """In the order of the module's docstring."""
    assert fault(content).reason == reason


@pytest.mark.parametrize("container", ["WAV", "WAVEX"])
@pytest.mark.parametrize("subtype", BITS)
def test_a_file_cut_anywhere_is_truncated(subtype: str, container: str) -> None:
    """After any byte before the last of the sound; the byte that pads it may be missing."""
    content = written(np.linspace(-0.9, 0.9, 51), subtype, container)
    sound_end = len(content) - 51 * BITS[subtype] // 8 % 2
    assert {fault(content[:end]).reason for end in range(1, sound_end)} == {"truncated"}
    for end in range(sound_end, len(content) + 1):
        assert len(wav.parse(content[:end]).samples) == 51


def test_a_sound_that_is_too_long_is_refused_before_memory_is_taken_for_it() -> None:
    """One of the longest duration is read."""
    content = riff(fmt(TAGS["ALAW"], bits=8), data(bytes(2_000_000)))
    duration_s = 2_000_000 / wav.parse(content).sample_rate_hz
    assert len(wav.parse(content, duration_s).samples) == 2_000_000
    tracemalloc.start()
    try:
        with pytest.raises(WavError, match=r"lasts \d+\.\d s, more than 10 s") as caught:
            wav.parse(content, 10)
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()
    assert caught.value.reason == "too_long"


@pytest.mark.parametrize("subtype", BITS)
def test_memory_is_a_small_multiple_of_the_content(subtype: str) -> None:
    """At the peak some twelve times as much as a file of 300 kB, whatever the header of one of 100 bytes says."""
    content = riff(fmt(TAGS[subtype], bits=BITS[subtype]), data(bytes(300_000)))
    inconsistent = riff(fmt(TAGS[subtype], bits=BITS[subtype]), data(size=300_000_000), size=400_000_000)
    tracemalloc.start()
    try:
        wav.parse(content)
        assert tracemalloc.get_traced_memory()[1] < 12.5 * len(content)
        tracemalloc.reset_peak()
        fault(inconsistent)
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (riff(fmt(), data()), True),
        (memoryview(riff()), True),
        (b"RIFF\0\0\0\0AVI ", True),
        (b"RIFX", True),
        (b"RF64", True),
        (b"BW64", True),
        (b"RI", True),
        (b"", True),
        (b"fLaC", False),
        (b"OggS", False),
        (b"riff", False),
        (b" RIFF", False),
    ],
)
def test_what_begins_as_riff_is_for_this_parser(content: bytes | memoryview, *, expected: bool) -> None:
    """Kin of RIFF and beginnings of a header too, for each of which there is a sentence better than any decoder's."""
    assert wav.is_riff(content) is expected

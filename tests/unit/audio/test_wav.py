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
UNKNOWN = 0xFFFFFFFF


def chunk(name: bytes, content: bytes, size: int | None = None) -> bytes:
    """Return a chunk, padded to an even number of bytes, that says it has `size`."""
    stated = len(content) if size is None else size
    return name + struct.pack("<I", stated) + content + bytes(len(content) % 2)


def riff(*chunks: bytes, size: int | None = None) -> bytes:
    """Return a WAVE file that says it has `size`."""
    return chunk(b"RIFF", b"WAVE" + b"".join(chunks), size)


def id3(content: bytes, flags: int = 0) -> bytes:
    """Return an ID3v2 tag, whose size has seven bits in each byte."""
    size = bytes(len(content) >> shift & 0x7F for shift in (21, 14, 7, 0))
    return b"ID3\x04\x00" + bytes([flags]) + size + content


def ds64(size: int) -> bytes:
    """Return the chunk of RF64 that says how much data there is."""
    return chunk(b"ds64", struct.pack("<QQQI", 0, size, 0, 0))


def rf64(*chunks: bytes, magic: bytes = b"RF64") -> bytes:
    """Return an RF64 file, whose RIFF size says nothing."""
    return magic + riff(*chunks, size=UNKNOWN)[4:]


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
        pytest.param(riff(fmt(), data(HALF), chunk(b"LIST", bytes(200)))[:-150], id="cut in the chunk after the sound"),
        pytest.param(riff(fmt(), data(HALF), chunk(b"LIST", b"abcd"))[:-9], id="cut in the header after the sound"),
        pytest.param(riff(chunk(b"\0\xff\n\x1b", b""), fmt(), data(HALF)), id="a chunk with an unusual name"),
        pytest.param(riff(*[chunk(b"JUNK", b"")] * 9998, fmt(), data(HALF)), id="as many chunks as are visited"),
    ],
)
def test_the_first_fmt_and_data_chunks_count_whatever_else_is_there(content: bytes) -> None:
    """Other chunks are skipped, and what follows the sound is not looked at."""
    np.testing.assert_array_equal(wav.parse(content).samples, [[0.5]])


@pytest.mark.parametrize("size", [0, 1, 28, 36, 37, 39, 46, 200, 0x7FFFFFFF, UNKNOWN])
def test_the_riff_size_does_not_matter(size: int) -> None:
    """Be it too small, too large, or a placeholder: the data chunk is whole."""
    sound = wav.parse(riff(fmt(), data(HALF), size=size))
    np.testing.assert_array_equal(sound.samples, [[0.5]])
    assert not sound.is_stream


@pytest.mark.parametrize("size", [0x7FFFF000, 0x7FFFFFFE, 0x7FFFFFFF, 0x80000000, UNKNOWN])
@pytest.mark.parametrize("half_a_sample", [b"", b"\1"])
def test_data_of_a_placeholder_size_ends_with_the_file(size: int, half_a_sample: bytes) -> None:
    """As sox, ffmpeg and arecord write it to a pipe; the sound may go on later."""
    for riff_size in (0, size):
        sound = wav.parse(riff(fmt(), data(HALF + QUARTER, size), size=riff_size) + half_a_sample)
        np.testing.assert_array_equal(sound.samples, [[0.5], [0.25]])
        assert sound.is_stream


@pytest.mark.parametrize("more", range(1, 6))
@pytest.mark.parametrize("cut", [0, 1])
def test_a_part_of_a_frame_at_the_end_is_dropped(more: int, cut: int) -> None:
    """Though a byte of it be missing, for no sound is."""
    content = riff(fmt(channels=3), data(HALF * 3 + bytes(more)))
    np.testing.assert_array_equal(wav.parse(content[: len(content) - cut]).samples, [[0.5] * 3])


@pytest.mark.parametrize("magic", [b"RF64", b"BW64"])
@pytest.mark.parametrize("behind", [b"", chunk(b"LIST", b"abcd"), b"abc"])
def test_the_size_of_the_data_of_rf64_is_in_its_ds64_chunk(magic: bytes, behind: bytes) -> None:
    """What follows the sound is not read; a size in the data chunk itself counts."""
    for size_in_ds64, size in ((4, UNKNOWN), (2, 4), (2**40, 4)):
        sound = wav.parse(rf64(ds64(size_in_ds64), fmt(), data(HALF + QUARTER, size), behind, magic=magic))
        np.testing.assert_array_equal(sound.samples, [[0.5], [0.25]])
        assert not sound.is_stream


@pytest.mark.parametrize("first", [b"", ds64(0), chunk(b"ds64", bytes(15)), chunk(b"JUNK", bytes(28))])
def test_rf64_without_a_size_in_ds64_is_a_stream(first: bytes) -> None:
    """As a program leaves it that cannot go back in its output."""
    sound = wav.parse(rf64(first, fmt(), data(HALF, UNKNOWN)))
    np.testing.assert_array_equal(sound.samples, [[0.5]])
    assert sound.is_stream


def test_the_shortest_ds64_chunk_has_the_two_sizes() -> None:
    """What may follow them is not needed."""
    shortest = chunk(b"ds64", struct.pack("<QQ", 0, 4))
    sound = wav.parse(rf64(shortest, fmt(), data(HALF + QUARTER, UNKNOWN), b"abc"))
    np.testing.assert_array_equal(sound.samples, [[0.5], [0.25]])
    assert not sound.is_stream


@pytest.mark.parametrize("subtype", ["PCM_16", "FLOAT"])
def test_rf64_is_read_as_soundfile_reads_it(subtype: str) -> None:
    """Which writes it too."""
    content = written(np.random.default_rng(3).uniform(-1, 1, (51, 2)), subtype, "RF64")
    np.testing.assert_array_equal(wav.parse(content).samples, read_by_soundfile(content))


@pytest.mark.parametrize(
    "tag",
    [
        pytest.param(id3(b""), id="empty"),
        pytest.param(id3(b"TIT2" + bytes(300)), id="of more bytes than seven bits count"),
        pytest.param(id3(riff(fmt(), data(QUARTER))), id="with a WAVE file in it"),
        pytest.param(id3(b"TIT2" + bytes(20), flags=0x10) + b"3DI\x04\x00\x10\0\0\0\x18", id="with a footer"),
        pytest.param(id3(b"TIT2") + id3(b"TALB" + bytes(9)), id="and another one"),
    ],
)
def test_an_id3_tag_in_front_is_skipped(tag: bytes) -> None:
    """Whatever it contains."""
    content = tag + riff(fmt(), data(HALF))
    assert wav.is_riff(content)
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
    "a letter": (b"R", "truncated", "after 1 bytes of its header"),
    "half a header": (b"RIFF\x24\x00\x00\x00WA", "truncated", "after 10 bytes"),
    "nothing in it": (riff(), "not_audio", "no data chunk"),
    "no data": (riff(fmt(), chunk(b"LIST", b"abc")), "not_audio", "no data chunk"),
    "no data, something behind": (riff(fmt()) + b"TAG", "not_audio", "no data chunk"),
    "no data in RF64": (rf64(ds64(80), fmt()), "truncated", "ends before any sound: copy it again"),
    "an ID3 tag alone": (id3(b"TIT2"), "truncated", "after 14 bytes, with or within its ID3 tag"),
    "an empty ID3 tag alone": (id3(b""), "truncated", "after 10 bytes, with or within its ID3 tag"),
    "an ID3 tag of another version": (b"ID3\x09" + id3(b"")[4:] + riff(fmt(), data()), "not_audio", "with 'ID3\\t'"),
    "another tag": (b"XYZ" + id3(b"")[3:] + riff(fmt(), data()), "not_audio", "begins with 'XYZ\\x04'"),
    "an ID3 tag cut": (id3(bytes(300))[:100], "truncated", "after 100 bytes, with or within its ID3 tag"),
    "an ID3 tag and text": (id3(b"TIT2") + b"hello, world", "not_audio", "begins with 'hell'"),
    "an ID3 tag and half a header": (id3(b"TIT2") + b"RIFF\0", "truncated", "after 5 bytes of its header"),
    "no fmt": (riff(chunk(b"LIST", b"abc"), data()), "not_audio", "no fmt chunk"),
    "fmt after data": (riff(data(), fmt()), "not_audio", "no fmt chunk before"),
    "too many chunks": (riff(*[chunk(b"JUNK", b"")] * 9999, fmt(), data()), "not_audio", "first 10000 chunks"),
    "no sound": (riff(fmt(), data(b"")), "empty", "holds no sound: its data chunk has 0 bytes"),
    "no sound, a chunk behind": (riff(fmt(), data(b""), chunk(b"LIST", b"abc")), "empty", "has 0 bytes"),
    "no sound, an unpadded chunk": (riff(fmt(), data(b""), chunk(b"LIST", b"abc"))[:-1], "empty", "has 0 bytes"),
    "no sound in a stream": (riff(fmt(), data(b"", UNKNOWN)), "empty", "has 0 bytes"),
    "less than a frame": (riff(fmt(channels=2), data(bytes(3))), "empty", "has 3 bytes"),
    "less than a frame in a stream": (riff(fmt(channels=2), data(bytes(2), UNKNOWN)), "empty", "has 2 bytes"),
    "data cut": (
        riff(fmt(), data(bytes(8000)))[:164],
        "truncated",
        "7880 of its 8000 bytes of sound are missing (98.5%): copy it again",
    ),
    "a byte cut": (riff(fmt(), data())[:-1], "truncated", "1 of its 80 bytes of sound are missing (1.2%)"),
    "all data cut": (riff(fmt(), data())[:-80], "truncated", "80 of its 80 bytes of sound are missing (100.0%)"),
    "data cut, RIFF size fits": (riff(fmt(), data(size=4000)), "truncated", "3920 of its 4000 bytes"),
    "data cut, half a frame": (riff(fmt(channels=2), data(bytes(6), 11)), "truncated", "2 of its 8 bytes"),
    "data of RF64 cut": (rf64(ds64(160), fmt(), data(size=UNKNOWN)), "truncated", "80 of its 160 bytes"),
    "fmt cut": (riff(fmt(), data())[:30], "truncated", "ends within its 'fmt ' chunk, before any sound"),
    "a chunk before the data cut": (riff(fmt(), chunk(b"LIST", b"", 999), data()), "truncated", "its 'LIST' chunk"),
    "RIFF too long, no data": (riff(fmt(), size=200), "truncated", "ends before any sound: copy it again"),
    "RIFF a little too long, no data": (riff(fmt(), size=30), "truncated", "ends before any sound"),
    "RIFF longer than the pad byte": (
        riff(fmt(), chunk(b"LIST", b"abc"), size=41)[:-1],
        "truncated",
        "ends before any sound",
    ),
    "no data, an unpadded chunk": (riff(fmt(), chunk(b"LIST", b"abc"))[:-1], "not_audio", "no data chunk"),
    "a recorder died": (
        riff(fmt(), chunk(b"FLLR", bytes(400)), data(size=0), size=436),
        "inconsistent_header",
        "has a data chunk of size 0 and 80 bytes after it",
    ),
    "a recorder died, noise": (riff(fmt(), data(b"LIST\4\0\0\0abcde", 0)), "inconsistent_header", "and 14 bytes after"),
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
    "a cut tag before the container": (id3(b"RIFX" + bytes(20))[:20], "truncated"),
    "a short header before the container": (b"RIFX", "truncated"),
    "the container before its kind": (b"RIFX\0\0\0\0AVI ", "unsupported_encoding"),
    "a cut before the sound before a missing fmt": (riff(chunk(b"LIST", b"", 999), data()), "truncated"),
    "a cut before the sound before the encoding": (riff(fmt(0x55), chunk(b"LIST", b"", 999), data()), "truncated"),
    "a missing fmt before a cut": (riff(data())[:-20], "not_audio"),
    "a missing fmt before no sound": (riff(data(b"")), "not_audio"),
    "the encoding before a cut": (riff(fmt(0x55), data())[:-20], "unsupported_encoding"),
    "the encoding before no sound": (riff(fmt(0x55), data(b"")), "unsupported_encoding"),
    "the frame before a cut": (riff(fmt(frame_bytes=7), data())[:-20], "inconsistent_header"),
    "less than a frame before a cut": (riff(fmt(channels=2), data(bytes(2), 3)), "empty"),
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


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("subtype", BITS)
def test_the_longest_duration_is_one_of_time(subtype: str, channels: int) -> None:
    """Whatever a frame takes: a tenth of a second is read, and one frame more is too long."""
    for frames in (800, 801):
        sound = bytes(frames * channels * BITS[subtype] // 8)
        content = riff(fmt(TAGS[subtype], channels, bits=BITS[subtype]), data(sound))
        if frames == 800:
            assert len(wav.parse(content, 0.1).samples) == 800
        else:
            with pytest.raises(WavError, match=r"lasts 0\.1 s, more than 0\.1 s"):
                wav.parse(content, 0.1)


@pytest.mark.parametrize("subtype", BITS)
def test_memory_is_a_small_multiple_of_the_content(subtype: str) -> None:
    """At the peak some twelve times as much as a file of 300 kB, whatever the header of one of 100 bytes says."""
    content = riff(fmt(TAGS[subtype], bits=BITS[subtype]), data(bytes(300_000)))
    truncated = riff(fmt(TAGS[subtype], bits=BITS[subtype]), data(size=300_000_000), size=400_000_000)
    tracemalloc.start()
    try:
        wav.parse(content)
        assert tracemalloc.get_traced_memory()[1] < 12.5 * len(content)
        tracemalloc.reset_peak()
        fault(truncated)
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
        (id3(b"TIT2") + b"RIFF", True),
        (id3(b"TIT2") + b"RF64", True),
        (id3(b"TIT2"), True),
        (memoryview(id3(bytes(300))[:50]), True),
        (id3(b"TIT2") + b"\xff\xfb", False),
        (id3(b"TIT2") + b"fLaC", False),
        (b"ID3", False),
        (b"riff", False),
        (b" RIFF", False),
    ],
)
def test_what_begins_as_riff_is_for_this_parser(content: bytes | memoryview, *, expected: bool) -> None:
    """Kin of RIFF and beginnings of a header too, for each of which there is a sentence better than any decoder's."""
    assert wav.is_riff(content) is expected

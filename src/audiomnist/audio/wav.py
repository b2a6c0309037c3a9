"""From the bytes of a RIFF/WAVE file to its samples, believing no size that the file states before checking it.

Read are PCM of 8, 16, 24 and 32 bits, IEEE float of 32 and 64, mu-law and A-law, plain or as
WAVE_FORMAT_EXTENSIBLE, with 1 to 8 channels at 4 to 192 kHz. The first `fmt ` and the first `data` chunk count;
other chunks are skipped, nothing after the sound is read, and the byte rate, which many writers get wrong, is not
looked at. A pad byte may be missing at the end of the file. At most `MAX_CHUNKS` chunks are visited, and at most some
twelve times the content's size is taken in memory.

A faulty file has one reason, the first of these that holds. Sizes come before the encoding, because what a file
says of itself counts for little while the file is not whole:

    empty, not_audio      there are no bytes, or they do not begin as a WAVE file does
    truncated             the file ends within the first twelve bytes
    unsupported_encoding  the container is RIFX, RF64 or BW64
    inconsistent_header           the RIFF chunk, or one up to the sound, has the placeholder size of a program that wrote to
                          a pipe; or a chunk up to the sound ends after the RIFF chunk, wherever the file ends
    truncated             the file ends before such a chunk does, or before the RIFF chunk
    not_audio             there is no data chunk
    empty                 the data chunk has no bytes
    not_audio             there is no fmt chunk before the data chunk
    inconsistent_header           the fmt chunk is too short for its format
    unsupported_encoding, bad_channels, bad_rate
    inconsistent_header           the size of a frame does not follow from channels and bits, more bits are said to be valid
                          than there are, or the sound ends within a frame
    too_long              the sound lasts longer than the caller takes
"""

import math
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from audiomnist.core.errors import FaultError

Samples = NDArray[np.float32]
Decode = Callable[[memoryview], Samples]

MAX_CHANNELS = 8
MIN_RATE_HZ, MAX_RATE_HZ = 4_000, 192_000
MAX_CHUNKS = 10_000

_BEGINNINGS = {magic[:size] for magic in (b"RIFF", b"RIFX", b"RF64", b"BW64") for size in range(5)}
_RIFF_HEADER = struct.Struct("<4sI4s")
_CHUNK_HEADER = struct.Struct("<4sI")
_FORMAT = struct.Struct("<HHI4xHH")
_EXTENSION = struct.Struct("<18xH4xH14s")
# From here on a size is what sox, ffmpeg, arecord and others write before they know it.
_PLACEHOLDER_BYTES = 0x7FFFF000

_PCM, _FLOAT, _A_LAW, _MU_LAW, _EXTENSIBLE = 1, 3, 6, 7, 0xFFFE
_GUID_TAIL = bytes.fromhex("000000001000800000aa00389b71")
_FORMAT_NAMES = {
    _PCM: "PCM",
    2: "Microsoft ADPCM",
    _FLOAT: "IEEE float",
    _A_LAW: "A-law",
    _MU_LAW: "mu-law",
    0x11: "IMA ADPCM",
    0x31: "GSM 6.10",
    0x55: "MP3",
    0xFF: "AAC",
    0x161: "Windows Media Audio",
}


class WavError(FaultError):
    """These bytes are no sound. `reason` is a code of the list above; `detail` says it without a file's name."""


@dataclass(frozen=True, eq=False)
class Sound:
    """Sound of one or more channels: `samples` is float32 `(frames, channels)`, full scale [-1, 1]."""

    samples: Samples
    sample_rate_hz: int


@dataclass(frozen=True, slots=True)
class _Format:
    decode: Decode
    channels: int
    sample_rate_hz: int
    frame_bytes: int


def is_riff(content: bytes | memoryview) -> bool:
    """Return whether `parse` is the one to ask: the bytes begin, as far as they go, as RIFF or its kin do.

    That holds for no bytes at all, and for RIFX, RF64 and BW64, of which `parse` says how they become readable.
    """
    return bytes(content[:4]) in _BEGINNINGS


def parse(content: bytes | memoryview, max_duration_s: float = math.inf) -> Sound:
    """Decode a WAVE file.

    Integers become fractions of their full scale (16 bits: of 32768). Floats are taken as they are, be they NaN,
    infinite or beyond [-1, 1]; those of 64 bits are rounded to 32.

    Args:
        content: the file.
        max_duration_s: longer sounds are refused before memory is taken for their samples.

    Raises:
        WavError: the bytes are no WAVE file, not all of one, one that is not read, or too long.
    """
    file = memoryview(content)
    fmt, data = _fmt_and_data(file, _riff_end(file))
    if len(data) == 0:
        raise WavError("empty", "holds no sound: its data chunk has no bytes")
    if fmt is None:
        raise WavError("not_audio", "has no fmt chunk before its data: nothing says what the bytes mean")
    form = _format(bytes(fmt[: _EXTENSION.size]))
    if len(data) % form.frame_bytes:
        raise _lying(f"{len(data)} bytes of sound are no whole number of frames of {form.frame_bytes}")
    duration_s = len(data) / form.frame_bytes / form.sample_rate_hz
    if duration_s > max_duration_s:
        raise WavError("too_long", f"lasts {duration_s:.1f} s, more than {max_duration_s:g} s")
    return Sound(form.decode(data).reshape(-1, form.channels), form.sample_rate_hz)


def _riff_end(file: memoryview) -> int:
    """Return where the RIFF chunk is said to end, having checked that it is a WAVE."""
    if len(file) == 0:
        raise WavError("empty", "holds no bytes")
    magic = bytes(file[:4])
    if not is_riff(magic):
        raise WavError("not_audio", f"is no WAVE file: it begins with {_shown(magic)}, not with 'RIFF'")
    if len(file) < _RIFF_HEADER.size:
        raise WavError("truncated", f"ends after {len(file)} bytes, within its header: copy it again")
    if magic != b"RIFF":
        raise _unsupported(f"is a file of the kind {_shown(magic)}")
    _, size, kind = _RIFF_HEADER.unpack_from(file)
    if kind != b"WAVE":
        raise WavError("not_audio", f"is a RIFF file of the kind {_shown(kind)}, not 'WAVE'")
    _check_is_known(size, len(file))
    return int(_CHUNK_HEADER.size + size)


def _fmt_and_data(file: memoryview, riff_end: int) -> tuple[memoryview | None, memoryview]:
    """Return the content of the first fmt chunk before the sound, if there is one, and that of the data chunk."""
    fmt = data = None
    for name, start, end in _chunks(file):
        follows_riff = start > riff_end and name not in {b"fmt ", b"data"}
        if follows_riff:
            continue
        _check_fits(name, start, end, riff_end, len(file))
        if name == b"data":
            data = file[start:end]
            break
        if name == b"fmt " and fmt is None:
            fmt = file[start:end]
    if riff_end > len(file) + len(file) % 2:
        raise _truncated(f"{riff_end} bytes in all", len(file))
    if data is None:
        raise WavError("not_audio", f"holds no sound: there is no data chunk among its first {MAX_CHUNKS} chunks")
    return fmt, data


def _chunks(file: memoryview) -> Iterator[tuple[bytes, int, int]]:
    """Yield each chunk's name, where its content starts, and where it is said to end."""
    start = _RIFF_HEADER.size + _CHUNK_HEADER.size
    for _ in range(MAX_CHUNKS):
        if start > len(file):
            return
        name, size = _CHUNK_HEADER.unpack_from(file, start - _CHUNK_HEADER.size)
        yield name, start, start + size
        start += size + size % 2 + _CHUNK_HEADER.size


def _check_fits(name: bytes, start: int, end: int, riff_end: int, file_bytes: int) -> None:
    """Raise WavError unless a chunk ends within the RIFF chunk and within the file."""
    if end <= riff_end and end <= file_bytes:
        return
    size = end - start
    _check_is_known(size, file_bytes)
    if end > riff_end:
        raise _lying(f"the {_shown(name)} chunk ends at byte {end}, the RIFF chunk about it at byte {riff_end}")
    what = "sound" if name == b"data" else f"the {_shown(name)} chunk"
    raise _truncated(f"{size} bytes of {what}", file_bytes - start)


def _check_is_known(size: int, file_bytes: int) -> None:
    if size >= max(_PLACEHOLDER_BYTES, file_bytes):
        sentence = f"was written to a pipe, its size {size} is a placeholder: convert it once, from file to file"
        raise WavError("inconsistent_header", sentence)


@lru_cache(maxsize=64)
def _format(fmt: bytes) -> _Format:
    """Return what a fmt chunk's beginning says, having checked that it can be read and does not contradict itself."""
    _check_holds(fmt, _FORMAT)
    tag, channels, rate_hz, frame_bytes, bits = _FORMAT.unpack_from(fmt)
    tag, valid_bits = _extension(fmt) if tag == _EXTENSIBLE else (tag, bits)
    decode = _DECODERS.get((tag, bits))
    if decode is None:
        raise _unsupported(f"has the encoding 0x{tag:04X} ({_FORMAT_NAMES.get(tag, 'unknown')}) with {bits} bits")
    if not 1 <= channels <= MAX_CHANNELS:
        raise WavError("bad_channels", f"has {channels} channels: 1 to {MAX_CHANNELS} are read")
    if not MIN_RATE_HZ <= rate_hz <= MAX_RATE_HZ:
        raise WavError("bad_rate", f"has a rate of {rate_hz} Hz: {MIN_RATE_HZ} to {MAX_RATE_HZ} Hz are read")
    if frame_bytes * 8 != channels * bits:
        raise _lying(f"frames of {channels} samples of {bits} bits are said to have {frame_bytes} bytes")
    if valid_bits > bits:
        raise _lying(f"{valid_bits} bits are said to be valid in samples of {bits}")
    return _Format(decode, channels, rate_hz, frame_bytes)


def _extension(fmt: bytes) -> tuple[int, int]:
    """Return the tag that an extensible format stands for, and how many bits of a sample are valid."""
    _check_holds(fmt, _EXTENSION)
    valid_bits, tag, guid_tail = _EXTENSION.unpack_from(fmt)
    if guid_tail != _GUID_TAIL:
        raise _unsupported(f"has the extensible encoding {fmt[24:40].hex()} (unknown)")
    return tag, valid_bits


def _check_holds(fmt: bytes, fields: struct.Struct) -> None:
    if len(fmt) < fields.size:
        raise _lying(f"the 'fmt ' chunk is said to have {len(fmt)} bytes, its format takes {fields.size}")


def _truncated(promised: str, held: int) -> WavError:
    return WavError("truncated", f"its header promises {promised}, the file holds {held}: copy it again")


def _lying(contradiction: str) -> WavError:
    return WavError(
        "inconsistent_header", f"contradicts itself, {contradiction}: have it written anew by another program"
    )


def _unsupported(what: str) -> WavError:
    return WavError("unsupported_encoding", f"{what}, which is not read: convert it to PCM WAV or to FLAC")


def _shown(name: bytes) -> str:
    return ascii(name.decode("latin-1"))


def _fractions(integers: NDArray[np.signedinteger]) -> Samples:
    """Return integers as fractions of their full scale, which is one more than the greatest of them."""
    step = np.float32(2.0 ** (1 - 8 * integers.itemsize))
    fractions: Samples = np.multiply(integers, step, dtype=np.float32)
    return fractions


def _pcm8(data: memoryview) -> Samples:
    """Decode samples without a sign, whose zero is 128."""
    return _fractions((np.frombuffer(data, np.uint8) ^ 128).view(np.int8))


def _pcm24(data: memoryview) -> Samples:
    """Decode samples as those of 32 bits whose lowest byte is zero."""
    wide = np.zeros((len(data) // 3, 4), dtype=np.uint8)
    wide[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
    return _fractions(wide.view("<i4")[:, 0])


def _float64(data: memoryview) -> Samples:
    with np.errstate(over="ignore", invalid="ignore"):
        return np.frombuffer(data, "<f8").astype(np.float32)


def _companded(levels: NDArray[np.int64]) -> Decode:
    """Return how bytes are decoded each of which stands for one of the `levels` `(256,)`, of 16 bits."""
    table = _fractions(levels.astype(np.int16))
    return lambda data: table[np.frombuffer(data, np.uint8)]


def _mu_law_levels() -> NDArray[np.int64]:
    """Return what each mu-law byte stands for (ITU-T G.711, table 2), scaled to 16 bits."""
    code = ~np.arange(256)
    magnitude = (((code & 15) * 8 + 132) << (code >> 4 & 7)) - 132
    return np.where(code & 128, -magnitude, magnitude)


def _a_law_levels() -> NDArray[np.int64]:
    """Return what each A-law byte stands for (ITU-T G.711, table 1), scaled to 16 bits."""
    code = np.arange(256) ^ 0x55
    segment = code >> 4 & 7
    mantissa = (code & 15) * 16 + 8
    magnitude: NDArray[np.int64] = np.where(segment, mantissa + 256, mantissa) << np.maximum(segment - 1, 0)
    return np.where(code & 128, magnitude, -magnitude)


_DECODERS: dict[tuple[int, int], Decode] = {
    (_PCM, 8): _pcm8,
    (_PCM, 16): lambda data: _fractions(np.frombuffer(data, "<i2")),
    (_PCM, 24): _pcm24,
    (_PCM, 32): lambda data: _fractions(np.frombuffer(data, "<i4")),
    (_FLOAT, 32): lambda data: np.frombuffer(data, "<f4").astype(np.float32),
    (_FLOAT, 64): _float64,
    (_A_LAW, 8): _companded(_a_law_levels()),
    (_MU_LAW, 8): _companded(_mu_law_levels()),
}

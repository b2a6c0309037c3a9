"""WAV decoding from bytes, with every size in the header checked before it is used.

Supported are PCM of 8, 16, 24 and 32 bits, IEEE float of 32 and 64, mu-law and A-law, plain or as
WAVE_FORMAT_EXTENSIBLE, with 1 to 8 channels at 4 to 192 kHz, in RIFF, RF64 or BW64. ID3v2 tags in front are skipped.

The first `fmt ` and the first `data` chunk count, and the size of the data is the authority: other chunks are skipped,
nothing after the data is read, and the RIFF size and the byte rate, which many writers get wrong, are ignored. A data
size of 0xFFFFFFFF stands for the one in the ds64 chunk, if there is one. Otherwise a size from 0x7FFFF000 on, and
beyond the end of the file, is what programs write to a pipe: the sound ends with the file. A part of a frame at the
end is dropped. At most `MAX_CHUNKS` chunks are visited, and at most about twelve times the size of the content is
allocated.

A faulty file has one reason, the first of these that applies:

    empty                 there are no bytes
    truncated             the file ends with or within its ID3 tag
    not_audio             it does not begin with a RIFF header
    truncated             it ends within the first twelve bytes
    unsupported_encoding  the container is RIFX
    not_audio             the kind of the RIFF file is not WAVE
    truncated             it ends within a chunk before the data, or, by its RIFF size, before the data
    not_audio             there is no data chunk, or no fmt chunk before it
    inconsistent_header   the fmt chunk is too short for its format
    unsupported_encoding, bad_channels, bad_rate
    inconsistent_header   the frame size is not channels * bits / 8, or more bits are valid than a sample has
    inconsistent_header   the data chunk has size 0, and what follows it is no sequence of chunks
    empty                 the data is less than a frame
    truncated             the file ends before its data does
    too_long              the duration is above the caller's limit
"""

import io
import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache, reduce
from typing import Any, NamedTuple

import numpy as np
import soundfile
from numpy.typing import NDArray

from audiomnist.core.errors import FaultError

Samples = NDArray[np.float32]

MAX_CHANNELS = 8
MIN_RATE_HZ, MAX_RATE_HZ = 4_000, 192_000
MAX_CHUNKS = 10_000
MAX_MAGNITUDE = 8.0  # of a sample; full scale is 1, floats may be slightly above it

_BEGINNINGS = {magic[:size] for magic in (b"RIFF", b"RIFX", b"RF64", b"BW64") for size in range(5)}
_RIFF_HEADER = struct.Struct("<4sI4s")
_CHUNK_HEADER = struct.Struct("<4sI")
_FORMAT = struct.Struct("<HHI4xHH")
_EXTENSION = struct.Struct("<18xH4xH14s")
_DS64 = struct.Struct("<8xQ")
_SIZE_IN_DS64 = 0xFFFFFFFF
_ID3_HEADER = struct.Struct(">3sBxB4s")
_ID3_VERSIONS = {2, 3, 4}
_ID3_HAS_FOOTER = 0x10
# sox, ffmpeg, arecord and others write a size from here on before they know it.
_PLACEHOLDER_BYTES = 0x7FFFF000

_PCM, _FLOAT, _A_LAW, _MU_LAW, _EXTENSIBLE = 1, 3, 6, 7, 0xFFFE
_GUID_TAIL = bytes.fromhex("000000001000800000aa00389b71")
# libsndfile's name of each encoding, by format tag and bits per sample.
_SUBTYPES = {
    (_PCM, 8): "PCM_U8",
    (_PCM, 16): "PCM_16",
    (_PCM, 24): "PCM_24",
    (_PCM, 32): "PCM_32",
    (_FLOAT, 32): "FLOAT",
    (_FLOAT, 64): "DOUBLE",
    (_A_LAW, 8): "ALAW",
    (_MU_LAW, 8): "ULAW",
}
_PCM16_STEP = np.float32(2**-15)
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
    """The bytes are not a readable WAV file; `reason` is one of the codes above."""


@dataclass(frozen=True, eq=False)
class PcmAudio:
    """Decoded audio of one or more channels: `samples` is float32 `(frames, channels)`, full scale [-1, 1].

    `is_stream` says that the header did not have the size of the sound, which was read up to the end of the file.
    """

    samples: Samples
    sample_rate_hz: int
    is_stream: bool = False


class _Format(NamedTuple):
    subtype: str
    channels: int
    sample_rate_hz: int
    frame_bytes: int


def is_riff(content: bytes | memoryview) -> bool:
    """Return whether the content, as far as it goes, begins as RIFF, RIFX, RF64 or BW64 does, and so is for `parse`.

    It may have an ID3v2 tag in front.
    """
    start = _id3_bytes(content)
    return bytes(content[start : start + 4]) in _BEGINNINGS


def parse(content: bytes | memoryview, max_duration_s: float = math.inf) -> PcmAudio:
    """Decode a WAV file.

    Integers are divided by their full scale (16 bits: by 32768). Floats are not changed, be they NaN, infinite or
    outside [-1, 1]; those of 64 bits are rounded to 32.

    Args:
        content: the file.
        max_duration_s: longer audio is rejected before memory is allocated for its samples.

    Raises:
        WavError: the content is not a WAV file, incomplete, not supported, or too long.
    """
    file = _without_id3(memoryview(content))
    _check_is_wave(file)
    fmt, stated, rest = _fmt_and_data(file)
    form = _format(fmt)
    size = _whole_frames_bytes(stated, rest, form.frame_bytes)
    duration_s = size / form.frame_bytes / form.sample_rate_hz
    if duration_s > max_duration_s:
        raise WavError("too_long", f"lasts {duration_s:.1f} s, more than {max_duration_s:g} s")
    samples = _decode(rest[:size], form).reshape(-1, form.channels)
    return PcmAudio(samples, form.sample_rate_hz, is_stream=stated is None)


def check_peak(peak: float) -> None:
    """Raise FaultError unless the largest magnitude of the samples is a number of at most `MAX_MAGNITUDE`."""
    if not math.isfinite(peak):
        raise FaultError("not_finite", "holds samples that are not finite numbers")
    if peak > MAX_MAGNITUDE:
        detail = f"has samples up to {peak:.3g}, where full scale is 1: scale them when converting"
        raise FaultError("out_of_range", detail)


def _decode(data: memoryview, form: _Format) -> Samples:
    """Return the samples; NumPy decodes the two most common encodings about six times as fast as libsndfile."""
    samples: Samples
    if form.subtype == "PCM_16":
        samples = np.multiply(np.frombuffer(data, "<i2"), _PCM16_STEP, dtype=np.float32)
    elif form.subtype == "FLOAT":
        samples = np.frombuffer(data, "<f4").astype(np.float32)
    else:
        samples, _ = soundfile.read(
            io.BytesIO(data),
            dtype="float32",
            samplerate=form.sample_rate_hz,
            channels=form.channels,
            format="RAW",
            subtype=form.subtype,
            endian="LITTLE",
        )
    return samples


def _id3_bytes(content: bytes | memoryview) -> int:
    """Return the size of the ID3v2 tags in front, which have seven bits of their size in each byte."""
    end = 0
    while len(content) - end >= _ID3_HEADER.size:
        magic, version, flags, digits = _ID3_HEADER.unpack_from(content, end)
        if magic != b"ID3" or version not in _ID3_VERSIONS:
            break
        headers = 2 if flags & _ID3_HAS_FOOTER else 1
        end += headers * _ID3_HEADER.size + reduce(lambda size, digit: size << 7 | digit & 0x7F, digits, 0)
    return end


def _without_id3(content: memoryview) -> memoryview:
    """Return what follows the ID3v2 tag; raise WavError if nothing does."""
    start = _id3_bytes(content)
    if 0 < len(content) <= start:
        raise _truncated(f"ends after {len(content)} bytes, with or within its ID3 tag")
    return content[start:]


def _check_is_wave(file: memoryview) -> None:
    """Raise WavError unless a file begins as a WAVE file does."""
    if len(file) == 0:
        raise WavError("empty", "holds no bytes")
    magic = bytes(file[:4])
    if magic not in _BEGINNINGS:
        raise WavError("not_audio", f"is no WAVE file: it begins with {_shown(magic)}, not with 'RIFF'")
    if len(file) < _RIFF_HEADER.size:
        raise _truncated(f"ends after {len(file)} bytes of its header")
    if magic == b"RIFX":
        raise _unsupported(f"is a file of the kind {_shown(magic)}")
    kind = bytes(file[8 : _RIFF_HEADER.size])
    if kind != b"WAVE":
        raise WavError("not_audio", f"is a RIFF file of the kind {_shown(kind)}, not 'WAVE'")


def _fmt_and_data(file: memoryview) -> tuple[bytes, int | None, memoryview]:
    """Return the beginning of the first fmt chunk, the size of the first data chunk, and the file from the data on.

    The size is None if it is a placeholder. Raise WavError unless there are both chunks, the fmt chunk first.
    """
    fmt = size_in_ds64 = None
    for name, start, size in _chunks(file, _RIFF_HEADER.size):
        if name == b"data":
            if fmt is None:
                raise WavError("not_audio", "has no fmt chunk before its data, and so no encoding")
            return fmt, _known_size(size, size_in_ds64, len(file) - start), file[start:]
        if start + size > len(file):
            raise _truncated(f"ends within its {_shown(name)} chunk, before any sound")
        if name == b"fmt " and fmt is None:
            fmt = bytes(file[start : start + min(size, _EXTENSION.size)])
        if name == b"ds64" and size >= _DS64.size:
            (size_in_ds64,) = _DS64.unpack_from(file, start)
    raise _no_data(file)


def _known_size(stated: int, in_ds64: int | None, held: int) -> int | None:
    """Return the size of the data, or None if the header has a placeholder for it."""
    if stated == _SIZE_IN_DS64 and in_ds64:
        return in_ds64
    return None if stated >= max(_PLACEHOLDER_BYTES, held + 1) else stated


def _no_data(file: memoryview) -> WavError:
    _, riff_bytes, _ = _RIFF_HEADER.unpack_from(file)
    if _CHUNK_HEADER.size + riff_bytes > len(file) + len(file) % 2:
        return _truncated("ends before any sound")
    return WavError("not_audio", f"holds no sound: there is no data chunk among its first {MAX_CHUNKS} chunks")


def _chunks(file: memoryview, position: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield the name of each chunk from a position on, where its content starts, and its size by its header."""
    for _ in range(MAX_CHUNKS):
        start = position + _CHUNK_HEADER.size
        if start > len(file):
            return
        name, size = _CHUNK_HEADER.unpack_from(file, position)
        yield name, start, size
        position = start + size + size % 2


def _whole_frames_bytes(stated: int | None, rest: memoryview, frame_bytes: int) -> int:
    """Return the size of the sound at the start of `rest` in whole frames; raise WavError if it is not all there."""
    if stated == 0 and not _are_chunks(rest):
        raise WavError(
            "inconsistent_header",
            f"has a data chunk of size 0 and {len(rest)} bytes after it, as recorders that are cut off leave it: "
            "record it again, or import these bytes as raw samples",
        )
    size = len(rest) if stated is None else stated
    whole = size - size % frame_bytes
    if whole == 0:
        raise WavError("empty", f"holds no sound: its data chunk has {size} bytes")
    if whole > len(rest):
        missing = whole - len(rest)
        raise _truncated(f"{missing} of its {whole} bytes of sound are missing ({missing / whole:.1%})")
    return whole


def _are_chunks(rest: memoryview) -> bool:
    """Return whether bytes are whole chunks with printable names; the last pad byte may be missing."""
    end = 0
    for name, start, size in _chunks(rest, 0):
        if not (name.isascii() and name.decode("latin-1").isprintable()):
            return False
        end = start + size
    return len(rest) in {end, end + end % 2}


@lru_cache(maxsize=64)
def _format(fmt: bytes) -> _Format:
    """Return the format in the beginning of a fmt chunk; raise WavError if it is not supported or inconsistent."""
    tag, channels, rate_hz, frame_bytes, bits = _unpacked(_FORMAT, fmt)
    valid_bits = bits
    if tag == _EXTENSIBLE:
        valid_bits, tag, guid_tail = _unpacked(_EXTENSION, fmt)
        if guid_tail != _GUID_TAIL:
            raise _unsupported(f"has the extensible encoding {fmt[24:40].hex()} (unknown)")
    if (tag, bits) not in _SUBTYPES:
        raise _unsupported(f"has the encoding 0x{tag:04X} ({_FORMAT_NAMES.get(tag, 'unknown')}) with {bits} bits")
    if not 1 <= channels <= MAX_CHANNELS:
        raise WavError("bad_channels", f"has {channels} channels: 1 to {MAX_CHANNELS} are read")
    if not MIN_RATE_HZ <= rate_hz <= MAX_RATE_HZ:
        raise WavError("bad_rate", f"has a rate of {rate_hz} Hz: {MIN_RATE_HZ} to {MAX_RATE_HZ} Hz are read")
    if frame_bytes * 8 != channels * bits:
        raise _inconsistent(f"frames of {channels} samples of {bits} bits are given as {frame_bytes} bytes")
    if valid_bits > bits:
        raise _inconsistent(f"{valid_bits} bits are given as valid in samples of {bits}")
    return _Format(_SUBTYPES[tag, bits], channels, rate_hz, frame_bytes)


def _unpacked(fields: struct.Struct, fmt: bytes) -> tuple[Any, ...]:
    if len(fmt) < fields.size:
        raise _inconsistent(f"the 'fmt ' chunk has {len(fmt)} bytes, its format takes {fields.size}")
    return fields.unpack_from(fmt)


def _truncated(finding: str) -> WavError:
    return WavError("truncated", f"{finding}: copy it again")


def _inconsistent(contradiction: str) -> WavError:
    message = f"contradicts itself, {contradiction}: have it written anew by another program"
    return WavError("inconsistent_header", message)


def _unsupported(what: str) -> WavError:
    return WavError("unsupported_encoding", f"{what}, which is not read: convert it to PCM WAV or to FLAC")


def _shown(name: bytes) -> str:
    return ascii(name.decode("latin-1"))

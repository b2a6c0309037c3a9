"""WAV decoding from bytes, with every size in the header checked before it is used.

Supported are PCM of 8, 16, 24 and 32 bits, IEEE float of 32 and 64, mu-law and A-law, plain or as
WAVE_FORMAT_EXTENSIBLE, with 1 to 8 channels at 4 to 192 kHz. The first `fmt ` and the first `data` chunk count;
other chunks are skipped, nothing after the data is read, and the byte rate, which many writers get wrong, is ignored.
A pad byte may be missing at the end of the file. At most `MAX_CHUNKS` chunks are visited, and at most about twelve
times the size of the content is allocated.

A faulty file has one reason, the first of these that applies. Sizes are checked before the encoding, since the other
fields of an incomplete file mean little:

    empty, not_audio      no bytes, or they do not begin with a RIFF header
    truncated             the file ends within the first twelve bytes
    unsupported_encoding  the container is RIFX, RF64 or BW64
    inconsistent_header   the RIFF chunk, or one up to the data, has the placeholder size that programs write to a pipe;
                          or a chunk up to the data ends after the RIFF chunk
    truncated             the file ends before such a chunk does, or before the RIFF chunk
    not_audio             there is no data chunk
    empty                 the data chunk has no bytes
    not_audio             there is no fmt chunk before the data chunk
    inconsistent_header   the fmt chunk is too short for its format
    unsupported_encoding, bad_channels, bad_rate
    inconsistent_header   the frame size is not channels * bits / 8, more bits are valid than a sample has, or the data
                          is not a whole number of frames
    too_long              the duration is above the caller's limit
"""

import io
import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import soundfile
from numpy.typing import NDArray

from audiomnist.core.errors import FaultError

Samples = NDArray[np.float32]

MAX_CHANNELS = 8
MIN_RATE_HZ, MAX_RATE_HZ = 4_000, 192_000
MAX_CHUNKS = 10_000

_BEGINNINGS = {magic[:size] for magic in (b"RIFF", b"RIFX", b"RF64", b"BW64") for size in range(5)}
_RIFF_HEADER = struct.Struct("<4sI4s")
_CHUNK_HEADER = struct.Struct("<4sI")
_FORMAT = struct.Struct("<HHI4xHH")
_EXTENSION = struct.Struct("<18xH4xH14s")
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
    """Decoded audio of one or more channels: `samples` is float32 `(frames, channels)`, full scale [-1, 1]."""

    samples: Samples
    sample_rate_hz: int


class _Format(NamedTuple):
    subtype: str
    channels: int
    sample_rate_hz: int
    frame_bytes: int


def is_riff(content: bytes | memoryview) -> bool:
    """Return whether the content, as far as it goes, begins as RIFF, RIFX, RF64 or BW64 does, and so is for `parse`."""
    return bytes(content[:4]) in _BEGINNINGS


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
    file = memoryview(content)
    fmt, data = _fmt_and_data(file, _riff_end(file))
    if len(data) == 0:
        raise WavError("empty", "holds no sound: its data chunk has no bytes")
    if fmt is None:
        raise WavError("not_audio", "has no fmt chunk before its data, and so no encoding")
    form = _format(bytes(fmt[: _EXTENSION.size]))
    if len(data) % form.frame_bytes:
        raise _inconsistent(f"{len(data)} bytes of sound are no whole number of frames of {form.frame_bytes}")
    duration_s = len(data) / form.frame_bytes / form.sample_rate_hz
    if duration_s > max_duration_s:
        raise WavError("too_long", f"lasts {duration_s:.1f} s, more than {max_duration_s:g} s")
    return PcmAudio(_decode(data, form).reshape(-1, form.channels), form.sample_rate_hz)


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


def _riff_end(file: memoryview) -> int:
    """Return where the RIFF chunk ends by its size field; raise WavError unless it is a WAVE file."""
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
    """Return the first fmt chunk before the data, if there is one, and the first data chunk, both without headers."""
    fmt = data = None
    for name, start, end in _chunks(file):
        if start > riff_end and name not in {b"fmt ", b"data"}:
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
    """Yield the name of each chunk, and where its content starts and ends by its header."""
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
    _check_is_known(end - start, file_bytes)
    if end > riff_end:
        raise _inconsistent(f"the {_shown(name)} chunk ends at byte {end}, the RIFF chunk about it at byte {riff_end}")
    what = "sound" if name == b"data" else f"the {_shown(name)} chunk"
    raise _truncated(f"{end - start} bytes of {what}", file_bytes - start)


def _check_is_known(size: int, file_bytes: int) -> None:
    if size >= max(_PLACEHOLDER_BYTES, file_bytes):
        message = f"was written to a pipe, its size {size} is a placeholder: convert it once, from file to file"
        raise WavError("inconsistent_header", message)


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


def _truncated(promised: str, held: int) -> WavError:
    return WavError("truncated", f"its header promises {promised}, the file holds {held}: copy it again")


def _inconsistent(contradiction: str) -> WavError:
    message = f"contradicts itself, {contradiction}: have it written anew by another program"
    return WavError("inconsistent_header", message)


def _unsupported(what: str) -> WavError:
    return WavError("unsupported_encoding", f"{what}, which is not read: convert it to PCM WAV or to FLAC")


def _shown(name: bytes) -> str:
    return ascii(name.decode("latin-1"))

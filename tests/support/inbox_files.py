"""Files for an inbox: good ones of every kind that is taken, and bad ones for every reason that content can give."""

import io
import os
import struct
from collections.abc import Callable
from itertools import cycle, product
from pathlib import Path

import numpy as np
import soundfile
from numpy.random import Generator
from numpy.typing import NDArray

from audiomnist.scoring.decoding.checks import MAX_BYTES

Sound = NDArray[np.float64]
Spoil = Callable[[Path, Generator], object]

# Long ago, so that no file looks as if it were still being written.
SETTLED_NS = 1_700_000_000_123_456_789

WAV_SUBTYPES = ("PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW")
ENCODINGS = (
    *product(("WAV",), WAV_SUBTYPES),
    *product(("WAVEX",), WAV_SUBTYPES),
    *product(("FLAC",), ("PCM_S8", "PCM_16", "PCM_24")),
)
RATES_HZ = (4000, 8000, 11_025, 16_000, 22_050, 44_100, 48_000, 96_000, 192_000)
CHANNELS = tuple(range(1, 9))

_PCM, _MS_ADPCM, _FLOAT = 1, 2, 3


def tone(digit: int, seconds: float = 0.3, rate_hz: int = 8000, seed: int = 0) -> Sound:
    """Return a sound that the toy models know as a digit, `(samples,)`; another seed gives other noise in it."""
    time_s = np.arange(round(rate_hz * seconds)) / rate_hz
    pitch_hz = 200 * 1.2**digit
    sound = sum(np.sin(2 * np.pi * pitch_hz * harmonic * time_s) / harmonic for harmonic in (1, 2, 3))
    envelope = np.minimum(1, np.minimum(time_s, time_s[::-1]) / 0.02)
    noise = np.random.default_rng(seed).normal(0, 0.002, len(time_s))
    return np.asarray(0.2 * (envelope * sound + noise))


def encoded(samples: Sound, rate_hz: int = 8000, subtype: str = "PCM_16", container: str = "WAV") -> bytes:
    """Return the content of a sound file, `(frames,)` or `(frames, channels)`."""
    file = io.BytesIO()
    soundfile.write(file, samples, rate_hz, subtype=subtype, format=container)
    return file.getvalue()


def put(folder: Path, name: str | bytes, content: bytes, modified_ns: int = SETTLED_NS) -> Path:
    """Write a file into a folder, which is made if need be; return its path."""
    path = folder / os.fsdecode(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.utime(path, ns=(modified_ns, modified_ns))
    return path


def put_good(folder: Path, count: int) -> dict[str, int]:
    """Write distinct sounds that are taken; return the digit of each.

    All encodings, rates and numbers of channels occur with each other, so far as the count suffices. No two channels
    of a file are alike.
    """
    digits = {}
    for index, (container, subtype) in zip(range(count), cycle(ENCODINGS), strict=False):
        digit, rate_hz = index % 10, RATES_HZ[index % len(RATES_HZ)]
        channels = CHANNELS[index // len(ENCODINGS) % len(CHANNELS)]
        seconds = 0.15 + 0.25 * (index * 0.618 % 1)
        samples = tone(digit, seconds, rate_hz, seed=index)[:, None] * np.linspace(1, 0.3, channels)
        name = f"good-{index:04}.{'flac' if container == 'FLAC' else 'wav'}"
        put(folder, name, encoded(samples, rate_hz, subtype, container))
        digits[name] = digit
    return digits


def put_bad(folder: Path, count: int) -> dict[str, str]:
    """Write files that are rejected, of each kind in `BAD` in turn; return the reason for each."""
    folder.mkdir(parents=True, exist_ok=True)
    reasons = {}
    for index, (kind, (reason, spoil)) in zip(range(count), cycle(BAD.items()), strict=False):
        path = folder / f"bad-{index:03} {kind}.wav"
        spoil(path, np.random.default_rng(index))
        os.utime(path, ns=(SETTLED_NS, SETTLED_NS), follow_symlinks=False)
        reasons[path.name] = reason
    return reasons


def wave(
    data: bytes,
    *,
    tag: int = _PCM,
    channels: int = 1,
    rate_hz: int = 8000,
    bits: int = 16,
    data_bytes: int | None = None,
    riff_bytes: int | None = None,
) -> bytes:
    """Return a WAVE file whose header has the given sizes; by default the right ones."""
    fmt = struct.pack("<HHIIHH", tag, channels, rate_hz, rate_hz, channels * bits // 8, bits)
    chunks = b"WAVEfmt " + struct.pack("<I", len(fmt)) + fmt
    chunks += b"data" + struct.pack("<I", len(data) if data_bytes is None else data_bytes) + data
    return b"RIFF" + struct.pack("<I", len(chunks) if riff_bytes is None else riff_bytes) + chunks


def flac_claiming(content: bytes, frames: int) -> bytes:
    """Return a FLAC file whose header claims so many frames."""
    packed = int.from_bytes(content[18:26])
    return content[:18] + (packed >> 36 << 36 | frames).to_bytes(8) + content[26:]


def _noise(draw: Generator, seconds: float = 0.3, rate_hz: int = 8000) -> Sound:
    return draw.uniform(-0.5, 0.5, round(seconds * rate_hz))


def _pcm(draw: Generator, seconds: float = 0.3, rate_hz: int = 8000) -> bytes:
    return (_noise(draw, seconds, rate_hz) * 32767).astype("<i2").tobytes()


def _floats(draw: Generator, place: int, value: float) -> bytes:
    samples = _noise(draw).astype("<f4")
    samples[place] = value
    return wave(samples.tobytes(), tag=_FLOAT, bits=32)


def _flac(draw: Generator, seconds: float = 0.3) -> bytes:
    return encoded(_noise(draw, seconds), container="FLAC")


def _with_valid_bits(content: bytes, bits: int) -> bytes:
    """Return a file of WAVE_FORMAT_EXTENSIBLE that claims so many bits of each sample are valid."""
    return content[:38] + struct.pack("<H", bits) + content[40:]


def _damaged(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


def _holding(content: Callable[[Generator], bytes]) -> Spoil:
    return lambda path, draw: path.write_bytes(content(draw))


def _sparse(path: Path, draw: Generator) -> None:
    path.touch()
    os.truncate(path, MAX_BYTES + int(draw.integers(1, 1000)))


# What is wrong with a file, the reason code that it gets, and how such a file is made.
BAD: dict[str, tuple[str, Spoil]] = {
    "no bytes": ("empty", _holding(lambda _: b"")),
    "no sound": ("empty", _holding(lambda draw: wave(b"", rate_hz=int(draw.integers(4000, 9000))))),
    "text": ("not_audio", _holding(lambda draw: f"{draw.random()} is not a sound".encode())),
    "any bytes": ("not_audio", _holding(lambda draw: b"\x00" + draw.bytes(5000))),
    "another RIFF": ("not_audio", _holding(lambda draw: wave(_pcm(draw)).replace(b"WAVE", b"AVI ", 1))),
    "cut in the sound": ("truncated", _holding(lambda draw: wave(_pcm(draw))[:-100])),
    "cut in the header": ("truncated", _holding(lambda draw: wave(_pcm(draw))[: int(draw.integers(5, 40))])),
    "FLAC cut": ("truncated", _holding(lambda draw: _flac(draw)[:-100])),
    "sound of half a sample": ("empty", _holding(lambda draw: wave(draw.bytes(1)))),
    "recorder cut off": ("inconsistent_header", _holding(lambda draw: wave(_pcm(draw), data_bytes=0))),
    "16 bits valid of 8": (
        "inconsistent_header",
        _holding(lambda draw: _with_valid_bits(encoded(_noise(draw), subtype="PCM_U8", container="WAVEX"), 16)),
    ),
    "ADPCM": ("unsupported_encoding", _holding(lambda draw: wave(_pcm(draw), tag=_MS_ADPCM, bits=4))),
    "12 bits": ("unsupported_encoding", _holding(lambda draw: wave(_pcm(draw), bits=12))),
    "big-endian": ("unsupported_encoding", _holding(lambda draw: b"RIFX" + wave(_pcm(draw))[4:])),
    "Vorbis": (
        "unsupported_encoding",
        _holding(lambda draw: encoded(_noise(draw), subtype="VORBIS", container="OGG")),
    ),
    "no rate": ("bad_rate", _holding(lambda draw: wave(_pcm(draw), rate_hz=0))),
    "rate too low": ("bad_rate", _holding(lambda draw: wave(_pcm(draw), rate_hz=3999))),
    "rate too high": ("bad_rate", _holding(lambda draw: wave(_pcm(draw), rate_hz=2**32 - 1))),
    "no channel": ("bad_channels", _holding(lambda draw: wave(_pcm(draw), channels=0))),
    "nine channels": ("bad_channels", _holding(lambda draw: wave(_pcm(draw)[:3600], channels=9))),
    "NaN": ("not_finite", _holding(lambda draw: _floats(draw, -1, np.nan))),
    "infinity": ("not_finite", _holding(lambda draw: _floats(draw, 7, -np.inf))),
    "out of range": ("out_of_range", _holding(lambda draw: _floats(draw, 100, 30_000.0))),
    "too short": ("too_short", _holding(lambda draw: wave(_pcm(draw, seconds=0.045)))),
    "too long": ("too_long", _holding(lambda draw: wave(_pcm(draw, seconds=10.01)))),
    "FLAC too long": ("too_long", _holding(lambda draw: _flac(draw, seconds=10.01))),
    "FLAC of 2^36 samples": ("too_long", _holding(lambda draw: flac_claiming(_flac(draw), 2**36 - 1))),
    "zeros": ("silent", _holding(lambda draw: wave(bytes(2 * int(draw.integers(800, 8000)))))),
    "direct current": ("silent", _holding(lambda draw: encoded(np.full(2400, draw.uniform(0.1, 0.9))))),
    "clipped": ("clipped", _holding(lambda draw: encoded(np.sign(_noise(draw)), subtype="FLOAT"))),
    "64 MiB": ("too_large", _sparse),
    "FLAC damaged": ("undecodable", _holding(lambda draw: _damaged(_flac(draw, seconds=5)))),
    "link": ("link", lambda path, _: path.symlink_to("/")),
    "pipe": ("not_regular_file", lambda path, _: os.mkfifo(path)),
}
